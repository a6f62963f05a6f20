"""The bag of each image and its place there, from columns of a table or from names of files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from comp.config.schema import BY_NAME, DataConfig
from comp.core.errors import first
from comp.data.index.tables import Table

Place = tuple[str, int]  # the name of a bag, and a number by which its images are sorted

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DIGITS = re.compile(r"(\d+)")


def natural(text: str) -> tuple[tuple[str, ...], ...]:
    """What texts are sorted by so that frame_2 comes before frame_10."""
    key = []
    for number, part in enumerate(_DIGITS.split(text)):
        bare = part.lstrip("0")
        key.append((f"{len(bare):09d}", bare) if number % 2 else (part,))
    return (*key, (text,))


def by_names(bags: Sequence[str], names: Sequence[str]) -> list[Place]:
    """(N,) the place of each image in its bag, by its name."""
    return _ranked(bags, sorted(range(len(names)), key=lambda row: natural(names[row])))


def by_columns(
    table: Table, data: DataConfig, names: Sequence[str], whose: str
) -> tuple[list[Place] | None, list[str]]:
    """(N,) the place of each row of a table of images in its bag, and complaints.

    names: what rows are sorted by where `data.bag_order` is no column. whose: the key of the config
    that names the table, for messages.
    """
    bag, order = str(data.bag), data.bag_order
    wanted = [("bag", bag), *([("bag_order", order)] if order not in (None, BY_NAME) else [])]
    missing = [
        f"data.{key}: {table.no_column(str(name))} It is read from {table.path.name} ({whose})"
        for key, name in wanted
        if name not in table.values
    ]
    if missing:
        return None, missing
    bags = table.values[bag]
    blank = [line for cell, line in zip(bags, table.lines, strict=True) if not cell.strip()]
    complaints = []
    if blank:
        complaints.append(
            f"{len(blank)} images have no bag in {bag!r}: lines {first(blank)}; give each one (an "
            "image alone may be a bag)"
        )
    if order in (None, BY_NAME):
        return by_names(bags, names), complaints
    cells = [cell.strip() for cell in table.values[str(order)]]
    complaints += _unclear(table, bags, cells, str(order))
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        rows = sorted(range(len(cells)), key=lambda row: float(cells[row]))
    else:
        rows = sorted(range(len(cells)), key=lambda row: natural(cells[row]))
    return _ranked(bags, rows), complaints


def _unclear(table: Table, bags: Sequence[str], cells: Sequence[str], order: str) -> list[str]:
    """Complaints about cells that leave the order of a bag open."""
    blank = [line for cell, line in zip(cells, table.lines, strict=True) if not cell]
    out = [f"data.bag_order: {order!r} is empty on lines {first(blank)}"] if blank else []
    counts = Counter(zip(bags, cells, strict=True))
    twice = [f"{cell!r} in the bag {bag!r}" for (bag, cell), n in counts.items() if n > 1 and cell]
    if twice:
        out.append(
            f"data.bag_order: {order!r} stands {len(twice)} times for several images of a bag: "
            f"{first(twice, 3)}; use a column that tells their order, or {BY_NAME}"
        )
    return out


def _ranked(bags: Sequence[str], rows: Sequence[int]) -> list[Place]:
    """The places of images whose row numbers are sorted."""
    out: list[Place] = [("", 0)] * len(bags)
    for place, row in enumerate(rows):
        out[row] = (bags[row], place)
    return out
