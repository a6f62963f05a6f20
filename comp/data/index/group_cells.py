"""The groups in a column of a table, in which cells may be empty."""

from __future__ import annotations

from collections.abc import Sequence

from comp.config.schema import DataConfig
from comp.core.errors import first
from comp.core.progress import say


def read_groups(
    cells: Sequence[str], ids: Sequence[str], places: Sequence[object], data: DataConfig
) -> tuple[list[str], list[str]]:
    """The group of each row, and complaints.

    A row without one is a group of its own, called by its id, which is told; it is a complaint
    where `data.group_blank` is `refuse`. places: where each row stands, for the message.
    """
    blank = [row for row, cell in enumerate(cells) if not cell.strip()]
    if not blank:
        return [*cells], []
    where = f"{len(blank)} rows have no group in {data.group!r}: lines "
    where += first(places[row] for row in blank)
    if data.group_blank == "refuse":
        mend = "give them one, or set data.group_blank to own"
        return [*cells], [f"{where}; {mend}, which makes each a group of its own"]
    say(f"{where}; each is a group of its own (data.group_blank: refuse makes it an error)")
    out, taken = [*cells], {*cells}
    for row in blank:
        name = ids[row]
        while name in taken:
            name += "_"
        taken.add(name)
        out[row] = name
    return out, []
