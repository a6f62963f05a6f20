"""Losses of overlap between regions, by segmentation_models_pytorch.

Each takes logits (N, C, H, W) and targets as the links give them: class numbers (N, H, W) or cells
(N, C, H, W), with `comp.tasks.counts.IGNORED` where a pixel is ignored. They are ratios over
all pixels of a batch: micro-batches do not have exactly the gradient of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from comp.tasks.counts import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

_MODES = {"softmax": "multiclass", "sigmoid": "multilabel"}
_SMOOTH = 1.0  # pixels added above and below: few pixels must not swing the loss


def _dice(mode: str, _: tuple[float, float]) -> Any:
    from segmentation_models_pytorch.losses import DiceLoss

    return DiceLoss(mode, smooth=_SMOOTH, ignore_index=IGNORED)


def _tversky(mode: str, costs: tuple[float, float]) -> Any:
    """Salehi et al. 2017: Dice with different costs of false positives and false negatives."""
    from segmentation_models_pytorch.losses import TverskyLoss

    alpha, beta = costs
    return TverskyLoss(mode, smooth=_SMOOTH, ignore_index=IGNORED, alpha=alpha, beta=beta)


def _lovasz(mode: str, _: tuple[float, float]) -> Any:
    """Berman et al. 2018: the convex extension of the Jaccard loss."""
    from segmentation_models_pytorch.losses import LovaszLoss

    return LovaszLoss(mode, per_image=False, ignore_index=IGNORED)


def _jaccard(mode: str, _: tuple[float, float]) -> Any:
    from segmentation_models_pytorch.losses import JaccardLoss

    return JaccardLoss(mode, smooth=_SMOOTH, ignore_index=IGNORED)


OVERLAPS: dict[str, Callable[[str, tuple[float, float]], Any]] = {
    "dice": _dice,
    "jaccard": _jaccard,
    "tversky": _tversky,
    "lovasz": _lovasz,
}


def make_overlap(
    name: str, link: str, costs: tuple[float, float]
) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss `name` for a link. costs: of false positives and of false negatives, for Tversky."""
    inner = OVERLAPS[name](_MODES[link], costs)

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        found: Tensor = inner(logits.float(), target)
        return found

    return loss
