"""The kinds of task. A kind is a product of two things: its link, and whether it is spatial.

`segmentation` gives each pixel one class or the background; in `multilabel_segmentation` masks of
different classes may overlap. `regression` predicts numbers, (N, C) in the units of the table: they
stand where the other kinds have probabilities. `ordinal` has classes in an order, see
`comp.tasks.grades`. `several` is several of these in one network, see `comp.tasks.several`.

Probabilities are (N, C), or (N, C, H, W) where the task is spatial: image, class, space. Everything
that differs between kinds is a field here, so that nothing downstream asks for a task's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from comp.core.errors import TuneError
from comp.tasks import grades
from comp.tasks.grades import Steps

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

Change = Callable[["Tensor"], "Tensor"]
# name -> what a network predicts of a number, and back; float32 tensors
TRANSFORMS: dict[str, tuple[Change, Change]] = {
    "none": (lambda numbers: numbers, lambda numbers: numbers),
    "log1p": (lambda numbers: numbers.log1p(), lambda numbers: numbers.expm1()),
}
_LEAST_SHARE = 0.001  # of a class, for the logits that a network begins with
TargetKind = Literal["class", "columns", "pixels", "numbers"]


@dataclass(frozen=True)
class Link:
    """From logits to probabilities, and from probabilities and a rule to a decision.

    `probs`        torch logits (N, C, ...) -> probabilities of the same shape, float32
    `loss_target`  torch targets as read from an index, or soft ones -> what the losses take
    `soft_target`  torch targets as read from an index, columns C -> float probabilities (N, C, ...)
    `decide`       probabilities (N, C, ...) and a rule (C,) -> labels (int64)
    `neutral`      C -> the rule that changes nothing
    `measures`     whether the columns are numbers, not probabilities; a decision is the number
    `prior_logits`  shares of the classes (C,) -> logits (C,) with these probabilities
    `normalized`   whether the probabilities of an image (or a pixel) sum to 1 over the classes
    `tuner`        the name of the procedure in `comp.ensemble.rules.thresholds` that finds a rule:
                   `thresholds` of columns, `offsets` of the class with the largest probability,
                   `cuts` of the expected grade, `new`, the threshold of a class for the others,
                   or `rules` of several tasks, each its own
    `family`       which losses it takes, see `comp.tasks.losses.Loss.make`
    `shown`        probabilities (N, C) and a rule -> those that are scored and written; of a class
                   for what is new they depend on its threshold, else on no rule
    `steps`        whether the network gives one number per image in K - 1 steps, for grades
    `parts`        of several tasks in one network: each, see Part
    """

    name: str
    normalized: bool
    tuner: str
    probs: Callable[[Tensor], Tensor]
    loss_target: Callable[[Tensor, Tensor], Tensor]
    soft_target: Callable[[Tensor, int], Tensor]
    decide: Callable[[Array, Array], Array]
    neutral: Callable[[int], Array]
    prior_logits: Callable[[Array], Array]
    family: str
    measures: bool = False
    steps: Steps = "none"
    shown: Callable[[Array, Array], Array] = lambda probs, rule: probs
    parts: tuple[Part, ...] = ()

    @property
    def has_units(self) -> bool:
        """Whether the network predicts in standard deviations of the training part."""
        return self.measures or self.steps == "fixed"


def as_soft(target: Array, columns: int) -> Array:
    """(N, columns) float32: the target of an index as probabilities; unknown cells and numbers stay
    as they are. target: (N,) class numbers, 0 and 1 for one column; (N, columns) cells or soft."""
    if target.ndim == 1 and columns > 1:
        return one_hot(target, columns).astype(np.float32)
    return target.reshape(len(target), columns).astype(np.float32)


def one_hot(numbers: Array, columns: int) -> Array:
    """(N, ...) class numbers -> (N, ..., columns) int64 zeros and ones."""
    return np.eye(columns, dtype=np.int64)[numbers]


def _sigmoid_probs(logits: Tensor) -> Tensor:
    return logits.float().sigmoid()


def _softmax_probs(logits: Tensor) -> Tensor:
    return logits.float().softmax(dim=1)


def _as_logits(target: Tensor, logits: Tensor) -> Tensor:
    return target.reshape(logits.shape).float()  # bf16 would round soft targets: 0.3 to 0.3008


def _as_classes(target: Tensor, logits: Tensor) -> Tensor:
    if target.is_floating_point():
        return target
    return target.long().reshape(len(logits), *logits.shape[2:])  # a mask has a layer axis: 1


def _soft_cells(target: Tensor, columns: int) -> Tensor:
    return target.reshape(len(target), columns, *target.shape[2:]).float()


def fill_one_hot(zeros: Tensor, numbers: Tensor) -> Tensor:
    """`zeros` (N, C, ...) with a one for the class number (N, ...) int64 of each cell."""
    return zeros.scatter(1, numbers.unsqueeze(1), 1.0)  # in place, vmap would be slow


def _soft_classes(target: Tensor, columns: int) -> Tensor:
    import torch

    if target.is_floating_point():  # soft already
        return target
    shape = len(target), columns, *target.shape[1:]
    return fill_one_hot(torch.zeros(shape, device=target.device), target.long())


def _along_classes(rule: Array, probs: Array) -> Array:
    if rule.shape != (probs.shape[1],):
        raise TuneError(f"a rule of shape {rule.shape} for {probs.shape[1]} columns")
    return rule.reshape(1, -1, *[1] * (probs.ndim - 2))


def _above_threshold(probs: Array, rule: Array) -> Array:
    return np.asarray(probs >= _along_classes(rule, probs), dtype=np.int64)


def _largest_with_offset(probs: Array, rule: Array) -> Array:
    return np.asarray((probs + _along_classes(rule, probs)).argmax(axis=1), dtype=np.int64)


def _numbers(logits: Tensor) -> Tensor:
    return logits.float()


def _plus_offset(numbers: Array, rule: Array) -> Array:
    return np.asarray(numbers, dtype=np.float64) + _along_classes(rule, numbers)


def _halves(columns: int) -> Array:
    return np.full(columns, 0.5)


def _log_odds(shares: Array) -> Array:
    inside = np.clip(shares, _LEAST_SHARE, 1 - _LEAST_SHARE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _log_shares(shares: Array) -> Array:
    return np.asarray(np.log(np.clip(shares, _LEAST_SHARE, 1)))


SIGMOID = Link(
    name="sigmoid",
    normalized=False,
    tuner="thresholds",
    probs=_sigmoid_probs,
    loss_target=_as_logits,
    soft_target=_soft_cells,
    decide=_above_threshold,
    neutral=_halves,
    prior_logits=_log_odds,
    family="sigmoid",
)
SOFTMAX = Link(
    name="softmax",
    normalized=True,
    tuner="offsets",
    probs=_softmax_probs,
    loss_target=_as_classes,
    soft_target=_soft_classes,
    decide=_largest_with_offset,
    neutral=np.zeros,
    prior_logits=_log_shares,
    family="softmax",
)
IDENTITY = Link(
    name="identity",
    normalized=False,
    tuner="offsets",
    probs=_numbers,
    loss_target=_as_logits,
    soft_target=_soft_cells,
    decide=_plus_offset,
    neutral=np.zeros,
    prior_logits=np.zeros_like,
    family="identity",
    measures=True,
)


def _with_threshold(probs: Array, rule: Array) -> Array:
    """The probability of the last class is raised by its threshold; they sum to 1 again."""
    out = np.array(probs, dtype=np.float64)
    out[:, -1] = np.maximum(out[:, -1] + rule[-1], 0)
    return np.asarray(out / np.maximum(out.sum(axis=1, keepdims=True), 1e-300))


# Of several tasks, before it is known of which (`comp.tasks.several.parts.several_link`)
SEVERAL = replace(IDENTITY, tuner="rules", family="tasks")
# Of classes of which the last is for images of no other (`data.new`)
NEW = replace(SOFTMAX, tuner="new", shown=_with_threshold)
LINKS = {link.name: link for link in (SIGMOID, SOFTMAX, IDENTITY)}
# `model.ordinal` -> the link of grades: how they are learned, and the loss that `auto` means. All
# give the probabilities of a softmax
_CLASSES = replace(SOFTMAX, tuner="cuts", decide=grades.between_cuts, neutral=grades.halfway)
ORDINAL: dict[str, tuple[Link, str]] = {
    "classes": (_CLASSES, "ce"),
    "regression": (
        replace(
            _CLASSES,
            probs=grades.fixed_probs,
            loss_target=grades.as_number,
            family="grade",
            steps="fixed",
        ),
        "mse",
    ),
    "coral": (
        replace(
            _CLASSES,
            probs=grades.learned_probs,
            loss_target=grades.as_steps,
            prior_logits=lambda shares: grades.step_log_odds(shares, _LEAST_SHARE),
            family="steps",
            steps="learned",
        ),
        "coral",
    ),
}
CLASS_LINKS = [name for name, link in LINKS.items() if not link.measures]


def number_link(columns: int, transform: str, bounds: Sequence[float] | None) -> Link:
    """The link of numbers that a network predicts on another scale (`data.transform`), and whose
    answers stay within `bounds`.

    columns: C; what a network gives beyond them (the spread of `gaussian_nll`) is no answer.
    """
    forward, back = TRANSFORMS[transform]

    def probs(logits: Tensor) -> Tensor:
        found = back(logits[:, :columns].float())
        return found if bounds is None else found.clamp(*bounds)

    def loss_target(target: Tensor, logits: Tensor) -> Tensor:
        return forward(target.reshape(len(logits), columns).float())

    return replace(IDENTITY, probs=probs, loss_target=loss_target)


@dataclass(frozen=True)
class Task:
    """One kind of task.

    `link`         see Link
    `spatial`      whether it is a segmentation: each pixel has an answer
    `loss`         the loss that `train.loss: auto` means: a name, or names with their weights
    `target_ndim`  of an index: 1: one class number per image; 2: one 0/1 column per class (where
                   the task is spatial: which classes an image holds)
    `columns`      classes -> C, the number of outputs of the network. With one class per pixel the
                   first column is the background, which is no class
    `layers`       classes -> L, the number of layers of a mask: 1 (class numbers, 0 the
                   background) or one per class (zeros and ones)
    `class_limit`  the largest number of classes
    `one_answer`   whether a submission of labels has one answer per image
    `ordered`      whether the classes are grades, in an order
    """

    name: str
    link: Link
    spatial: bool
    loss: str | dict[str, float]
    target_ndim: int
    columns: Callable[[int], int]
    class_limit: int | None = None
    one_answer: bool = True
    ordered: bool = False
    layers: Callable[[int], int] = lambda classes: 1

    @property
    def target_kind(self) -> TargetKind:
        """What is predicted: one class per image, 0/1 columns or numbers per image, or pixels."""
        if self.spatial:
            return "pixels"
        if self.link.measures:
            return "numbers"
        return "class" if self.target_ndim == 1 else "columns"

    def decide(self, probs: Array, rule: Array | None = None) -> Array:
        """Labels in the shape of the target: (N,) or (N, C), int64; (N, L, H, W) for segmentation;
        numbers (N, C), float64, for regression.

        Without a rule: by the neutral one.
        """
        rule = self.link.neutral(probs.shape[1]) if rule is None else rule
        labels = self.link.decide(probs, rule)
        if self.spatial:
            return labels if labels.ndim == probs.ndim else labels[:, None]
        return labels[:, 0] if labels.ndim > self.target_ndim else labels

    def column_names(self, classes: Sequence[str]) -> tuple[str, ...]:
        """What the columns of probabilities are called; binary keeps the names of both classes."""
        extra = self.spatial and self.columns(len(classes)) > len(classes)
        return (BACKGROUND, *classes) if extra else tuple(classes)


@dataclass(frozen=True)
class Part:
    """One of several tasks: C of the columns that a network gives.

    `columns`  of the table that its labels are in
    `classes`  the names of its classes; of numbers those of its columns
    `low`      the first of its columns among all
    `loss`, `weight`, `metric`  see `comp.config.tasks.TaskConfig`
    """

    name: str
    task: Task
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    low: int
    loss: str | dict[str, float]
    weight: float
    metric: str

    @property
    def block(self) -> slice:
        """Its columns among those of all tasks."""
        return slice(self.low, self.low + self.task.columns(len(self.classes)))


def _one(_: int) -> int:
    return 1


def _all(classes: int) -> int:
    return classes


def _and_background(classes: int) -> int:
    return classes + 1


BACKGROUND = "background"


TASKS = {
    task.name: task
    for task in (
        Task("binary", SIGMOID, False, "bce", 1, _one, class_limit=2),
        Task("multiclass", SOFTMAX, False, "ce", 1, _all),
        Task("ordinal", ORDINAL["regression"][0], False, "mse", 1, _all, ordered=True),
        Task("multilabel", SIGMOID, False, "bce", 2, _all, one_answer=False),
        Task("regression", IDENTITY, False, "mse", 2, _all, one_answer=False),
        Task("segmentation", SOFTMAX, True, {"ce": 1.0, "dice": 1.0}, 2, _and_background),
        Task(
            "multilabel_segmentation",
            SIGMOID,
            True,
            {"bce": 1.0, "dice": 1.0},
            2,
            _all,
            one_answer=False,
            layers=_all,
        ),
    )
}
# `task: several`; each of its tasks is of one of the kinds above
TOGETHER = Task("several", SEVERAL, False, "auto", 2, _all, one_answer=False)
