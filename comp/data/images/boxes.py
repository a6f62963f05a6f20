"""`data.boxes`: a table that says for each image which part of it matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from comp.core.errors import DataError, complain, first
from comp.data.images.crops import WHOLE, Box
from comp.data.index.image_files import stem_of
from comp.data.index.index import Index
from comp.data.index.tables import read_table

SIDES = ("left", "top", "right", "bottom")  # columns, shares of width and height from 0 to 1


def with_boxes(index: Index, path: Path, part: str = "train") -> Index:
    """The index with the box of each image, by a table of id, left, top, right, bottom.

    A column `part` may say train or test, where names are in both; other rows are left out. Blank
    cells mean the whole image. An id may have or lack the suffix of its file. Raises DataError for
    columns or images that are missing and for boxes that cannot be.
    """
    table = read_table(path)
    for name in ("id", *SIDES):
        if name not in table.columns:
            raise DataError(
                f"{path}: {table.no_column(name)} A table of boxes has the columns id, "
                f"{', '.join(SIDES)}: shares of width and height, from 0 to 1"
            )
    rows = zip(*(table.values[name] for name in SIDES), strict=True)
    found, complaints = dict[str, Box](), list[str]()
    parts = table.values.get("part", [part] * len(table))
    for name, cells, line, own in zip(table.values["id"], rows, table.lines, parts, strict=True):
        if own != part:
            continue
        box = _box(cells)
        if box is None:
            complaints.append(f"line {line}: {name!r}: {', '.join(cells)} is no box within 0 to 1")
        if name in found:
            complaints.append(f"line {line}: {name!r} has two boxes")
        found[name] = box or WHOLE
    complain(DataError, f"{path}: not a table of boxes:", complaints)
    stems = {stem_of(name): box for name, box in found.items()}
    boxes = [found.get(name) or stems.get(stem_of(name)) for name in index.ids]
    missing = [name for name, box in zip(index.ids, boxes, strict=True) if box is None]
    if missing:
        raise DataError(
            f"{path}: no box for {len(missing)} of {len(index)} images: {first(missing)}. Add a "
            "row for each; blank cells mean the whole image"
        )
    return replace(index, boxes=tuple(box for box in boxes if box is not None))


def _box(cells: Sequence[str]) -> Box | None:
    """The box in four cells; None where they are no box."""
    if not any(cell.strip() for cell in cells):
        return WHOLE
    try:
        left, top, right, bottom = map(float, cells)
    except ValueError:
        return None
    inside = 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    return (left, top, right, bottom) if inside else None
