"""Losses that ask for a margin between the class of an image and the others (deep metric learning).

They take the logits of `model.head: cosine`: a scale times the cosine between the features of an
image and the centre of each class.

`arcface`  Deng et al. 2019: the angle to the own class counts as larger by the margin
`cosface`  Wang et al. 2018: the cosine to the own class counts as smaller by the margin
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
# cosines (N, C) and margins (C,) -> the cosines that the own class of an image would count as
Margin = Callable[["Tensor", "Tensor"], "Tensor"]


def class_margins(counts: Array, margin: float, power: float) -> Array:
    """(C,) float32: the margin of each class: `margin` for the rarest, and for a class n times as
    frequent `margin` / n ** power. counts: (C,) images of each class in the training part.

    With a power of 0.25 these are the margins of LDAM (Cao et al. 2019).
    """
    counts = np.maximum(np.asarray(counts, dtype=np.float64), 1)
    return np.asarray(margin * (counts.min() / counts) ** power, dtype=np.float32)


def _arcface(cosines: Tensor, margins: Tensor) -> Tensor:
    """cos(angle + margin); beyond 180 degrees, where that would rise again, the line that goes on
    below, as in the authors' code."""
    import torch

    sines = (1 - cosines**2).clamp_min(1e-12).sqrt()
    turned = cosines * margins.cos() - sines * margins.sin()
    return torch.where(
        cosines > (math.pi - margins).cos(), turned, cosines - margins.sin() * margins
    )


def _cosface(cosines: Tensor, margins: Tensor) -> Tensor:
    return cosines - margins


MARGINS: dict[str, Margin] = {"arcface": _arcface, "cosface": _cosface}


def with_margin(kind: str, logits: Tensor, probs: Tensor, margins: Tensor, scale: float) -> Tensor:
    """(N, C) logits in which each class has its margin as far as it is in the target.

    logits: (N, C), `scale` times cosines. probs: (N, C) the target as probabilities: a mixture of
    two images has a part of both margins.
    """
    cosines = (logits.float() / scale).clamp(-1, 1)
    return scale * (cosines + probs * (MARGINS[kind](cosines, margins) - cosines))
