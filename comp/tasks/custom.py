"""Metrics and losses from a user's own functions, in the form that the tables hold.

A user writes what scikit-learn and PyTorch take: a score of two arrays, a loss of two tensors.
What `comp` asks of its own entries beyond that (rows of weights for a bootstrap, soft targets,
ignored pixels, class weights) is done here.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from comp.core.errors import CompError, ConfigError, TrainError, reason
from comp.core.registry import guarded
from comp.tasks.kinds import CLASS_LINKS, TargetKind
from comp.tasks.losses import (
    Loss,
    LossFunction,
    Terms,
    along_classes,
    cell_weights,
    judged_cells,
    mean_judged,
    soft,
)
from comp.tasks.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
Score = Callable[..., float]
TensorLoss = Callable[["Tensor", "Tensor"], "Tensor"]


def custom_metric(
    name: str,
    function: Score,
    *,
    wants: Literal["labels", "probs"],
    greater_is_better: bool,
    of: Sequence[TargetKind],
) -> Metric:
    """A metric from `function(target, answer, sample_weight=weights)`, as scikit-learn has them.

    Raises ConfigError for a function without `sample_weight`, and for a target kind that is not
    "class", "columns" or "numbers".
    """
    function = guarded(function, "metric", name)
    parameters = inspect.signature(function).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    if "sample_weight" not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise ConfigError(
            f"register_metric: {name!r}: its function must take `sample_weight`, as scikit-learn's "
            "metrics do: intervals and class priors are weights of the rows"
        )
    if wants not in ("labels", "probs"):
        raise ConfigError(f"register_metric: {name!r}: wants is 'labels' or 'probs', not {wants!r}")
    unknown = [kind for kind in of if kind not in ("class", "columns", "numbers")]
    if unknown or not of:
        raise ConfigError(f"register_metric: {name!r}: of is some of 'class', 'columns', 'numbers'")
    if "numbers" in of and wants != "probs":
        raise ConfigError(f"register_metric: {name!r}: of numbers wants is 'probs': the numbers")

    def weighted(target: Array, answer: Array, _: int, weights: Array) -> Array:
        return np.array([_score(name, function, target, answer, row) for row in weights])

    return Metric(name, weighted, wants, greater_is_better, tuple(of), known_only=False)


def _score(name: str, function: Score, target: Array, answer: Array, weights: Array) -> float:
    """The score of the rows that have a weight; NaN where there are none."""
    rows = np.flatnonzero(weights)
    if not len(rows):
        return float("nan")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of 500 bootstrap draws, some lack a class
            found = function(target[rows], answer[rows], sample_weight=weights[rows])
            return float(found)
    except (TypeError, ValueError) as problem:
        raise CompError(f"metric {name!r}: it gives no number ({reason(problem)})") from problem


def custom_loss(
    name: str, function: TensorLoss, *, links: Sequence[str], whole_batch: bool = False
) -> Loss:
    """A loss from `function(logits, target)`, with a target of probabilities like the logits.

    The function gives the loss of each cell, (N, C, ...); over classes it is summed for a softmax,
    over cells averaged for a sigmoid. whole_batch: it gives one number for the batch instead; it
    then takes no class weights and is not for segmentation.
    Raises ConfigError for a link that is unknown.
    """
    function = guarded(function, "loss", name, TrainError, _is_memory)
    unknown = [link for link in links if link not in CLASS_LINKS]
    if unknown or not links:
        able = ", ".join(CLASS_LINKS)
        raise ConfigError(f"register_loss: {name!r}: links are {able}, not {unknown}")
    make = _whole if whole_batch else _cells
    makers = {link: _maker(make, name, function, link) for link in links}
    cells = not whole_batch
    return Loss(makers, weighted=cells, pixels=cells, rows=cells)


def _is_memory(problem: Exception) -> bool:
    """Whether the device is out of memory: training then goes on with smaller batches."""
    import torch

    return isinstance(problem, torch.OutOfMemoryError)


def _maker(
    make: Callable[[str, TensorLoss, str, Terms], LossFunction],
    name: str,
    function: TensorLoss,
    link: str,
) -> Callable[[Terms], LossFunction]:
    return lambda terms: make(name, function, link, terms)


def _whole(name: str, function: TensorLoss, link: str, terms: Terms) -> LossFunction:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        judged = judged_cells(target, logits)
        if not isinstance(judged, float) and not judged.all():
            raise TrainError(
                f"loss {name!r}: some cells are unknown (data.unknown, data.blank), and a loss of "
                "the whole batch cannot leave them out; register one that gives the loss of each "
                "cell"
            )
        found = function(logits.float(), soft(logits, target, link, terms.smoothing))
        if getattr(found, "shape", None) != ():
            raise TrainError(
                f"loss {name!r}: a loss of the whole batch gives one number, not {_shown(found)}"
            )
        return found

    return loss


def _shown(found: Any) -> str:
    shape = getattr(found, "shape", None)
    return repr(found) if shape is None else f"a tensor of shape {tuple(shape)}"


def _cells(name: str, function: TensorLoss, link: str, terms: Terms) -> LossFunction:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        truth = soft(logits, target, link, terms.smoothing)
        cells = function(logits.float(), truth)
        if getattr(cells, "shape", None) != logits.shape:
            raise TrainError(
                f"loss {name!r}: it gives {_shown(cells)} for logits of "
                f"shape {tuple(logits.shape)}; give the loss of each cell, or register it with "
                "whole_batch=True"
            )
        judged = judged_cells(target, logits)
        if link == "softmax":
            cells = cells * judged
            weighed = (
                cells if terms.weights is None else cells * along_classes(terms.weights, logits)
            )
            return weighed.sum(dim=1).mean()
        return mean_judged(cells * cell_weights(terms.weights, truth), judged)

    return loss
