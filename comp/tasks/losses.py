"""The losses. Each takes logits (N, C, ...) and targets in the form of its link and gives a mean.

A target may be soft (mixup): probabilities in the shape of the logits. Every loss but `soft_f1` and
those of `comp.tasks.overlap_losses` is a mean over images (and pixels, and columns), never over
their weights, so that a batch in micro-batches has the gradient of the whole. Ignored pixels count
as right. Unknown 0/1 cells (`comp.tasks.counts.UNKNOWN`) do not count: the mean is over the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comp.core.errors import ConfigError, pick
from comp.tasks.counts import IGNORED, UNKNOWN
from comp.tasks.grades import coral
from comp.tasks.kinds import fill_one_hot
from comp.tasks.margin_losses import MARGINS, with_margin
from comp.tasks.number_losses import GRADE_LOSSES, NUMBER_LOSSES
from comp.tasks.overlap_losses import OVERLAPS, make_overlap

if TYPE_CHECKING:
    from torch import Tensor

    from comp.tasks.kinds import Part

LossFunction = Callable[["Tensor", "Tensor"], "Tensor"]
Spec = str | Mapping[str, float]


@dataclass(frozen=True)
class Terms:
    """What every loss is made from.

    `smoothing`  label smoothing in [0, 1)
    `weights`    None, or float weights that do not depend on the image: (C,) of the classes for
                 softmax, (2, C) of zeros and ones in each column for sigmoid
    `gamma`      focal loss: how strongly easy examples are down-weighted; 2 in its paper
    `alpha`      focal loss: None, or the weight of positives (every class but the first); negatives
                 have 1 - alpha
    `costs`      Tversky loss: the costs of false positives and of false negatives
    `spread`     numbers: (C,) the standard deviation of each column in the training part, or None
    `margins`    arcface, cosface: (C,) the margin of each class, or None
    `scale`      arcface, cosface: of the cosines (`model.scale`)
    `parts`      of several tasks in one network: these tasks
    `gaps`       ... whether some of their targets are unknown
    """

    smoothing: float = 0.0
    weights: Tensor | None = None
    gamma: float = 2.0
    alpha: float | None = None
    costs: tuple[float, float] = (0.3, 0.7)
    spread: Tensor | None = None
    margins: Tensor | None = None
    scale: float = 30.0
    parts: tuple[Part, ...] = ()
    gaps: bool = False


_LEAST_MISSED = 1e-6  # 1 - p in a focal loss with gamma below 1


@dataclass(frozen=True)
class Loss:
    """A loss.

    `make`      how to make it, for each family of links that it is defined for (`Link.family`)
    `weighted`  whether it uses class weights
    `regions`   whether it is for segmentation only
    `pixels`    whether it is defined for segmentation
    `cosines`   whether it takes the logits of `model.head: cosine` only
    `rows`      whether it is a mean over images, which can be weighted (`data.weight`)
    """

    make: dict[str, Callable[[Terms], LossFunction]]
    weighted: bool = True
    regions: bool = False
    pixels: bool = True
    cosines: bool = False
    rows: bool = True


def along_classes(weights: Tensor, logits: Tensor) -> Tensor:
    """Class weights (..., C) in a shape that multiplies logits (N, C, ...)."""
    return weights.reshape(*weights.shape, *[1] * (logits.ndim - 2))


def _smooth(target: Tensor, smoothing: float) -> Tensor:
    """Zeros and ones moved towards a half."""
    return target.float() * (1 - smoothing) + smoothing / 2


def judged_cells(target: Tensor, logits: Tensor) -> Tensor | float:
    """Zero where a pixel is ignored or a 0/1 cell is unknown and one elsewhere, in a shape that
    multiplies the logits."""
    if logits.ndim < 3:
        return target != UNKNOWN if target.shape == logits.shape else 1.0
    judged = target != IGNORED
    return judged if judged.ndim == logits.ndim else judged.unsqueeze(1)


def mean_judged(cells: Tensor, judged: Tensor | float) -> Tensor:
    """The mean of the costs of cells (N, C, ...): over those that are known, where there is one
    answer per image; over all pixels."""
    mean = (cells * judged).mean()
    if isinstance(judged, float) or cells.ndim > 2:
        return mean
    return mean * (judged.numel() / judged.sum().clamp_min(1))


def cell_weights(weights: Tensor | None, target: Tensor) -> Tensor | float:
    """The weight of each cell of a 0/1 target; in proportion where the target is soft."""
    if weights is None:
        return 1.0
    zeros, ones = along_classes(weights, target)
    cells: Tensor = target * ones + (1 - target) * zeros
    return cells


def _bce(terms: Terms) -> LossFunction:
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        judged = judged_cells(target, logits)
        target = _smooth(target * judged, terms.smoothing)
        if terms.weights is None:
            return mean_judged(bce(logits.float(), target, reduction="none"), judged)
        zeros, ones = along_classes(terms.weights, logits)
        cells: Tensor = bce(logits.float(), target, reduction="none", pos_weight=ones / zeros)
        return mean_judged(cells * zeros, judged)

    return loss


def _ce(terms: Terms) -> LossFunction:
    from torch.nn.functional import cross_entropy

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            logits.float(),
            target,
            weight=terms.weights,
            label_smoothing=terms.smoothing,
            reduction="none",
            ignore_index=IGNORED if logits.ndim > 2 else -100,
        ).mean()

    return loss


def _sigmoid_focal(terms: Terms) -> LossFunction:
    from torchvision.ops import sigmoid_focal_loss

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        judged = judged_cells(target, logits)
        target = _smooth(target * judged, terms.smoothing)
        alpha = -1 if terms.alpha is None else terms.alpha
        if terms.gamma < 1:
            cells = _focal_below_one(logits.float(), target, alpha, terms.gamma)
        else:
            cells = sigmoid_focal_loss(logits.float(), target, alpha=alpha, gamma=terms.gamma)
        return mean_judged(cells * cell_weights(terms.weights, target), judged)

    return loss


def _focal_below_one(logits: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """What torchvision computes; the slope of (1 - p) ** gamma stays finite at p = 1."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    probs = logits.sigmoid()
    missed = probs * (1 - target) + (1 - probs) * target
    cells = binary_cross_entropy_with_logits(logits, target, reduction="none")
    cells = cells * missed.clamp_min(_LEAST_MISSED) ** gamma
    return cells if alpha < 0 else cells * (alpha * target + (1 - alpha) * (1 - target))


def _class_target(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """(N, C, ...) probabilities of a softmax target: class numbers, or soft already; smoothed.

    Zeros where a pixel is ignored.
    """
    import torch

    if not target.is_floating_point():
        judged = judged_cells(target, logits)
        inside = target if isinstance(judged, float) else target * judged[:, 0]
        target = fill_one_hot(torch.zeros_like(logits, dtype=torch.float32), inside)
        return (target * (1 - smoothing) + smoothing / logits.shape[1]) * judged
    return target * (1 - smoothing) + smoothing / logits.shape[1]


def soft(logits: Tensor, target: Tensor, link: str, smoothing: float) -> Tensor:
    """A target in the form of its link as probabilities (N, C, ...), smoothed; zeros where a pixel
    is ignored or a cell unknown (before smoothing, for a sigmoid)."""
    if link == "softmax":
        return _class_target(logits, target, smoothing)
    return _smooth(target * judged_cells(target, logits), smoothing)


def _softmax_focal(terms: Terms) -> LossFunction:
    """Lin et al. 2017 over classes: the log of each class times (1 - p) ** gamma."""
    import torch

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        target = _class_target(logits, target, terms.smoothing)
        logs = logits.float().log_softmax(dim=1)
        missed = 1 - logs.exp()
        if terms.gamma < 1:  # else the slope of missed ** gamma is infinite at 0
            missed = missed.clamp_min(_LEAST_MISSED)
        cells = -target * missed**terms.gamma * logs
        if terms.alpha is not None:
            first = torch.arange(logits.shape[1], device=logits.device) == 0
            shares = torch.where(first, 1 - terms.alpha, terms.alpha)
            cells = cells * along_classes(shares, logits)
        if terms.weights is not None:
            cells = cells * along_classes(terms.weights, logits)
        return cells.sum(dim=1).mean()

    return loss


def _sigmoid_asymmetric(terms: Terms) -> LossFunction:
    """Ridnik et al. 2021, with the settings of the paper."""
    from timm.loss import AsymmetricLossMultiLabel

    cells = AsymmetricLossMultiLabel(smoothing=terms.smoothing, reduction="none")

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        judged = judged_cells(target, logits)
        target = target * judged
        found: Tensor = cells(logits, target)
        return mean_judged(found * cell_weights(terms.weights, target), judged)

    return loss


def _softmax_asymmetric(terms: Terms, focus: float = 1.0, others: float = 4.0) -> LossFunction:
    """timm's AsymmetricLossSingleLabel (Ridnik et al. 2021), for soft targets too."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        truth = _class_target(logits, target, 0.0)
        logs = logits.float().log_softmax(dim=1)
        probs = logs.exp()
        wrong = 1 - probs * truth - (1 - probs) * (1 - truth)
        logs = logs * wrong.clamp(min=0) ** (focus * truth + others * (1 - truth))
        cells = -logs * _class_target(logits, truth, terms.smoothing)
        if terms.weights is not None:
            cells = cells * along_classes(terms.weights, logits)
        return cells.sum(dim=1).mean()

    return loss


def _soft_f1(probs: Tensor, target: Tensor) -> Tensor:
    """1 - the mean over classes of F1 with probabilities for decisions; probs, target: (N, C, ...).

    One is added above and below, so that a class that is not in the batch wants low
    probabilities instead of 0 / 0. F1 is that of a micro-batch: with `train.micro_batch` the loss
    is the mean over micro-batches, which is not the loss of the whole batch.
    """
    over = [axis for axis in range(probs.ndim) if axis != 1]
    both, either = (probs * target).sum(over), (probs + target).sum(over)
    return 1 - ((2 * both + 1) / (either + 1)).mean()


def _sigmoid_f1(terms: Terms) -> LossFunction:
    import torch

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        judged = judged_cells(target, logits)
        probs = logits.float().sigmoid() * judged
        target = _smooth(target * judged, terms.smoothing) * judged
        if logits.shape[1] == 1:  # two classes in one column: macro F1 counts both
            probs, target = torch.cat([1 - probs, probs], 1), torch.cat([1 - target, target], 1)
        return _soft_f1(probs, target)

    return loss


def _softmax_f1(terms: Terms) -> LossFunction:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        truth = _class_target(logits, target, terms.smoothing)
        return _soft_f1(logits.float().softmax(dim=1) * judged_cells(target, logits), truth)

    return loss


def _margin(kind: str) -> Callable[[Terms], LossFunction]:
    """Cross-entropy of logits with a margin, see `comp.tasks.margin_losses`."""

    def make(terms: Terms) -> LossFunction:
        entropy, margins = _ce(terms), terms.margins

        def loss(logits: Tensor, target: Tensor) -> Tensor:
            if margins is None:
                return entropy(logits, target)
            probs = _class_target(logits, target, 0.0)
            return entropy(with_margin(kind, logits, probs, margins, terms.scale), target)

        return loss

    return make


def _overlap(name: str) -> Loss:
    def of(link: str) -> Callable[[Terms], LossFunction]:
        return lambda terms: make_overlap(name, link, terms.costs)

    make = {link: of(link) for link in ("sigmoid", "softmax")}
    return Loss(make, weighted=False, regions=True, rows=False)


LOSSES = {
    "bce": Loss({"sigmoid": _bce}),
    "ce": Loss({"softmax": _ce}),
    "focal": Loss({"sigmoid": _sigmoid_focal, "softmax": _softmax_focal}),
    "asymmetric": Loss({"sigmoid": _sigmoid_asymmetric, "softmax": _softmax_asymmetric}),
    "soft_f1": Loss({"sigmoid": _sigmoid_f1, "softmax": _softmax_f1}, weighted=False, rows=False),
    **{
        name: Loss(
            {"identity": make, **({"grade": make} if name in GRADE_LOSSES else {})},
            weighted=False,
            pixels=False,
        )
        for name, make in NUMBER_LOSSES.items()
    },
    **{name: Loss({"softmax": _margin(name)}, pixels=False, cosines=True) for name in MARGINS},
    "coral": Loss({"steps": lambda terms: coral(terms.smoothing)}, weighted=False, pixels=False),
    **{name: _overlap(name) for name in OVERLAPS},
}


def make_loss(spec: Spec, link: str, terms: Terms | None = None) -> LossFunction:
    """The loss that `train.loss` means for a link of this family: a name, or names with weights.

    Raises ConfigError for a loss that is unknown or of another family.
    """
    terms = terms or Terms()
    made = [(_make(name, link)(terms), share) for name, share in _parts(spec).items()]
    if made[1:] or made[0][1] != 1.0:
        return lambda logits, target: sum(  # type: ignore[return-value]
            share * loss(logits, target) for loss, share in made
        )
    return made[0][0]


def check_loss(
    spec: Spec, link: str, how: str = "none", pos_weight: object = None, *, spatial: bool = False
) -> None:
    """Raise ConfigError where `train.loss`, `class_weights` and `pos_weight` do not go together."""
    parts = _parts(spec)
    for name in parts:
        _make(name, link, spatial=spatial)
        if LOSSES[name].regions and not spatial:
            raise ConfigError(f"train.loss: {name!r} is for segmentation; use soft_f1")
        if spatial and not LOSSES[name].pixels:
            raise ConfigError(f"train.loss: {name!r} is not defined for segmentation")
    if pos_weight is not None and link == "softmax":
        raise ConfigError(
            "train.pos_weight: it is for 0/1 columns; with one class per image use "
            "train.class_weights: inverse, or effective"
        )
    weighs = how != "none" or pos_weight is not None
    if weighs and not any(LOSSES[name].weighted for name in parts):
        raise ConfigError(
            f"train.class_weights, train.pos_weight: {', '.join(parts)} takes no class "
            "weights; set them to none and null, or add another loss"
        )


def without_rows(spec: Spec) -> list[str]:
    """The losses in `train.loss` that are no mean over images: they take no weights of them."""
    return [name for name in _parts(spec) if name in LOSSES and not LOSSES[name].rows]


def needs_cosines(name: str) -> bool:
    """Whether a loss takes the logits of `model.head: cosine` only."""
    return name in LOSSES and LOSSES[name].cosines


def loss_names(spec: Spec) -> list[str]:
    """The names in `train.loss`."""
    return [*_parts(spec)]


def _parts(spec: Spec) -> dict[str, float]:
    return {spec: 1.0} if isinstance(spec, str) else dict(spec)


def _make(name: str, link: str, *, spatial: bool = True) -> Callable[[Terms], LossFunction]:
    loss = pick(LOSSES, name, "loss")
    if link not in loss.make:
        fitting = [
            other
            for other, entry in LOSSES.items()
            if link in entry.make and (spatial or not entry.regions)
        ]
        raise ConfigError(
            f"train.loss: {name!r} is for {' and '.join(loss.make)} outputs, this task has {link}; "
            f"use one of: {', '.join(fitting)}"
        )
    return loss.make[link]
