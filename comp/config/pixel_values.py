"""The types of `image.range` and `image.windows`: pairs of numbers, one or several."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator

Pair = tuple[float, float]

MEASURED = ("auto", "channels")  # image.range: found in the training images
OF_THE_FILE = "file"  # image.windows: what each file says


def _pair(value: object) -> Pair | None:
    """Two finite numbers; None for anything else."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        return None
    low, high = map(float, value)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _pairs(value: object) -> tuple[Pair, ...] | None:
    if not isinstance(value, list | tuple) or not value:
        return None
    found = [_pair(item) for item in value]
    return None if None in found else tuple(pair for pair in found if pair is not None)


def as_range(value: object) -> object:
    """`auto`, `channels`, a pair that rises, or a pair for each channel."""
    if isinstance(value, str) and value in MEASURED:
        return value
    one, many = _pair(value), _pairs(value)
    if one is None and many is None:
        raise ValueError(
            "write auto, channels, the two values of black and white such as [0, 4095], or such a "
            "pair for each channel"
        )
    for low, high in many or [one]:  # type: ignore[misc]
        if high <= low:
            raise ValueError(f"the values of black and white must rise, found {[low, high]}")
    return one if one is not None else many


def as_windows(value: object) -> object:
    """None, `file`, or pairs of a centre and a width above 0."""
    if value is None or value == OF_THE_FILE:
        return value
    found = _pairs(value)
    if found is None or any(width <= 0 for _, width in found):
        raise ValueError(
            "write file, or pairs of a centre and a width above 0 such as [[40, 80], [600, 2800]]"
        )
    return found


RangeValue = Annotated[
    str | Pair | tuple[Pair, ...],
    BeforeValidator(as_range),
    "auto or channels or list of number or list of pairs",
]
WindowsValue = Annotated[
    str | tuple[Pair, ...] | None,
    BeforeValidator(as_windows),
    "file or list of pairs or null",
]
