"""What a second-level model sees: the answers of runs on the scale of logits, and columns.

Columns of text are taken by their values in the rows that are fitted on: what only other rows have
counts as none. Blank cells of numbers are the median of these rows, with a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.tasks.kinds import Link

Array = np.ndarray[Any, Any]

_CLIP = 1e-6
_MOST = 30  # values of a text column that are taken, the most frequent ones


def as_logits(probs: Array, link: Link) -> Array:
    """(N, C) log-odds, or log-shares less their mean where they sum to 1."""
    inside = np.clip(np.asarray(probs, dtype=np.float64), _CLIP, 1 - _CLIP)
    if link.normalized:
        logs = np.log(inside)
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))
    return np.asarray(np.log(inside) - np.log1p(-inside))


@dataclass(frozen=True)
class Encoder:
    """Columns as numbers, standardized, as some rows define them.

    `columns`  for each column its median, or its values
    `mean, scale`  (K,) of what comes out
    """

    columns: tuple[tuple[str, Any], ...]
    mean: Array
    scale: Array

    @staticmethod
    def fit(answers: Array, cells: Sequence[Sequence[str]]) -> Encoder:
        """answers: (n, A) numbers. cells: further columns, (n,) text each."""
        columns = tuple(_defined(column) for column in cells)
        table = _table(answers, cells, columns)
        deviation = table.std(axis=0)
        return Encoder(columns, table.mean(axis=0), np.where(deviation > 1e-9, deviation, np.inf))

    def encode(self, answers: Array, cells: Sequence[Sequence[str]]) -> Array:
        """(n, K) float64."""
        return np.asarray((_table(answers, cells, self.columns) - self.mean) / self.scale)


def _defined(cells: Sequence[str]) -> tuple[str, Any]:
    numbers = [_number(cell) for cell in cells]
    if all(n is not None for n in numbers) and not all(np.isnan(n) for n in numbers):  # type: ignore[arg-type]
        return "number", float(np.nanmedian(np.array(numbers, dtype=np.float64)))
    names, counts = np.unique(np.array(cells, dtype=object).astype(str), return_counts=True)
    return "text", [str(name) for name in names[np.argsort(-counts, kind="stable")][:_MOST]]


def _number(cell: str) -> float | None:
    """The number in a cell, NaN of a blank one, None of text."""
    if not cell.strip():
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _table(
    answers: Array, cells: Sequence[Sequence[str]], columns: Sequence[tuple[str, Any]]
) -> Array:
    out = [answers]
    for column, (kind, known) in zip(cells, columns, strict=True):
        if kind == "text":
            values = np.array(column, dtype=object).astype(str)
            out.append(np.stack([values == name for name in known], axis=1).astype(float))
            continue
        found = [_number(cell) for cell in column]
        numbers = np.array([np.nan if n is None else n for n in found])
        blank = np.isnan(numbers)
        out.append(np.stack([np.where(blank, known, numbers), blank], axis=1))
    return np.concatenate(out, axis=1)
