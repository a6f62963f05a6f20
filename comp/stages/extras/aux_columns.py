"""`data.aux`: columns of the training table that are learned beside the answer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from comp.config.sources import AuxConfig
from comp.core.errors import DataError, first
from comp.data.index.index import Index
from comp.data.labels.cells import cells_of
from comp.stages.experiment import Experiment
from comp.train.aux import AuxColumn

_MOST = 1000  # classes of a column


def read_aux(experiment: Experiment, index: Index) -> tuple[AuxColumn, ...]:
    """The columns, in the order of the images of the index.

    Empty cells are unknown. Raises DataError for a missing column or
    row, for a cell that is no number where the loss is for numbers, and for a column that says
    nothing.
    """
    wanted = experiment.config.data.aux
    if not wanted:
        return ()
    data = experiment.data
    if not (Path(data.root) / data.train_csv).is_file():
        raise DataError(
            f"data.aux: {Path(data.root) / data.train_csv} is not there; auxiliary columns come "
            "from a table of the training images (data.train_csv)"
        )
    names = [one.column for one in wanted]
    cells = cells_of(data, data.train_csv, names, index.ids, ("data.aux", "data.train_csv"))
    return tuple(
        _column(one, [cell.strip() for cell in column], index)
        for one, column in zip(wanted, cells, strict=True)
    )


def _column(one: AuxConfig, cells: list[str], index: Index) -> AuxColumn:
    known = [cell for cell in cells if cell]
    names = sorted(set(known))
    if len(names) < 2:
        raise DataError(
            f"data.aux: column {one.column!r} has {len(names)} value{'s' * (len(names) != 1)} "
            f"({first(names)}); there is nothing to learn from it. Leave it out"
        )
    if one.loss == "ce":
        if len(names) > _MOST:
            raise DataError(
                f"data.aux: column {one.column!r} has {len(names)} classes; at most {_MOST} can be "
                "learned. For numbers use loss: mse, mae or huber"
            )
        places = {name: float(number) for number, name in enumerate(names)}
        values = [places.get(cell, math.nan) for cell in cells]
        return AuxColumn(
            one.column, one.loss, one.weight, np.array(values, dtype=np.float32), len(names)
        )
    values, wrong = [], []
    for name, cell in zip(index.ids, cells, strict=True):
        value = _number(cell) if cell else math.nan
        values.append(math.nan if value is None else value)
        if value is None:
            wrong.append(f"{name}: {cell}")
    if wrong:
        raise DataError(
            f"data.aux: column {one.column!r}: no numbers in {len(wrong)} rows: {first(wrong)}. "
            "Leave these cells empty, or use loss: ce for classes"
        )
    return AuxColumn(one.column, one.loss, one.weight, np.array(values, dtype=np.float32))


def _number(cell: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
