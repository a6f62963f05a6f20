"""Findings about columns of numbers, the targets of a regression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from comp.check.findings import Finding
from comp.core.errors import first
from comp.data.index.index import Index

_FAR = 10.0  # interquartile ranges beyond a quartile
_SKEW = 20.0  # times the median that the largest number is, where a logarithm may help
_PILE = 0.5  # of the rows with one number


def number_findings(index: Index) -> Iterator[Finding]:
    """Numbers far from all others, numbers that most rows have, and columns for a logarithm."""
    for name, column in zip(index.classes, index.labels.T, strict=True):
        low, middle, high = np.percentile(column, [25, 50, 75])
        width = _FAR * (high - low)
        far = np.flatnonzero((column < low - width) | (column > high + width))
        if width > 0 and len(far):
            shown = [f"{index.ids[row]} ({column[row]:.6g})" for row in far]
            yield Finding(
                "warning",
                f"{name!r}: {len(far)} numbers are far from the others, half of which lie "
                f"between {low:.6g} and {high:.6g}: {first(shown)}. Typing errors, another unit?",
            )
        values, counts = np.unique(column, return_counts=True)
        if counts.max() > _PILE * len(column):
            most = values[counts.argmax()]
            yield Finding(
                "note", f"{name!r}: {counts.max()} of {len(column)} numbers are {most:.6g}"
            )
        if column.min() >= 0 < middle and column.max() > _SKEW * middle:
            yield Finding(
                "note",
                f"{name!r}: the largest number is {column.max() / middle:.0f} times the median; "
                "data.transform: log1p may learn more",
            )
