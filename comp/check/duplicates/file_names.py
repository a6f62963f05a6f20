"""What file names say about images: copies that a tool made, and series by number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SUFFIX = re.compile(r"\.(jpe?g|jpe|jfif|png|bmp|webp|gif|tiff?|jp2)$", re.IGNORECASE)
_ROBOFLOW = re.compile(r"^(?P<stem>.+)\.rf\.[0-9a-f]{8,}$")
_MADE = re.compile(
    r"^(?P<stem>.+?)(?:[ _.-]+(?:aug(?:mented)?|rot(?:ated?)?|h?v?flip(?:ped)?|copy|crop(?:ped)?"
    r"|mirror(?:ed)?|blur(?:red)?|bright(?:er)?|noisy?|noise)(?:[ _.-]*\d+)?| ?\(\d+\))+$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"^(?P<stem>.*?)(?P<number>\d{1,18})$")
_REACH = 2  # neighbours in a series are at most this many numbers apart


def roboflow(names: Sequence[str]) -> list[list[int]]:
    """Rows of the files that Roboflow made of one image, `x.rf.<hash>.jpg`, two and more."""
    return _grouped(names, _ROBOFLOW)


def families(names: Sequence[str]) -> list[list[int]]:
    """Rows of names that differ only in what a program adds to a copy (`x_rot90`, `x (1)`,
    `x_aug_3`), with the original where it is there; two and more."""
    return _grouped(names, _MADE, alone=True)


def _grouped(
    names: Sequence[str], pattern: re.Pattern[str], alone: bool = False
) -> list[list[int]]:
    """Rows by the stem that the pattern finds; `alone`: names without a match are stems too."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        bare = _SUFFIX.sub("", name)
        match = pattern.match(bare)
        if match or alone:
            found.setdefault(match["stem"] if match else bare, []).append(row)
    return [rows for rows in found.values() if len(rows) > 1]


def shots(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs (a, b), a < b, of names that differ only in a number, by at most two."""
    series: dict[str, list[tuple[int, int]]] = {}
    for row, name in enumerate(names):
        match = _NUMBER.match(_SUFFIX.sub("", name))
        if match:
            series.setdefault(match["stem"], []).append((int(match["number"]), row))
    for members in series.values():
        members.sort()
        for place, (number, row) in enumerate(members):
            for other, neighbour in members[place + 1 : place + 1 + _REACH]:
                if other - number <= _REACH:
                    yield min(row, neighbour), max(row, neighbour)
