"""The tables of a competition, tidied: what stands around the cells is left out, and told.

- Spaces around names and cells, byte order marks and zero-width letters with them. Behind a cell
  they stay where two different texts would become one (`cat` and `cat `): that is for the user to
  say.
- A column without a name, as pandas writes its row numbers, and one without any cell. Such a column
  with other cells is called `Unnamed: 0`, as pandas would.
- Blank lines, and rows of empty cells.

What a submission must repeat is kept in `Table.order` and `Table.written`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from comp.config.schema import DataConfig
from comp.core import progress
from comp.core.errors import DataError, first, repeated
from comp.data.index.file_match import Listing
from comp.data.index.image_files import image_suffix
from comp.data.index.tables import Table, read_raw, refuse_names

_ZERO_WIDTH = "\ufeff\u200b\u200c\u200d\u2060"
_SPACES = string.whitespace + "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + _ZERO_WIDTH
_SPACES += "".join(map(chr, range(0x2000, 0x200B)))
_UNNAMED = re.compile(r"Unnamed: \d+(_level_\d+|\.\d+)*")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def bare(text: str) -> str:
    """A text without the spaces and zero-width letters around it."""
    return text.strip(_SPACES)


def read_data_table(path: Path, data: DataConfig, *, headless: bool = False) -> Table:
    """A table of a competition, tidied; `notes` says what was left out.

    data: its encoding, the names of its columns where it has no header, and the columns that the
    config names, which are never left out. headless: whether a table that has none of
    `data.columns` on its first line has no header for certain; else that line must look like data.
    Raises as `read_table` does.
    """
    named = [data.id, *data.target, data.group, data.fold, data.rle_class, data.class_column]
    named += [data.bag, data.bag_order, *data.columns]
    table = read_raw(path, data.encoding, skip=True, beside=_beside(path, data))
    line = [bare(str(cell)) for cell in table.frame.columns]
    if data.columns and not {*line} & {*data.columns}:
        if headless:
            table = with_names(table, data.columns)
        elif any(map(looks_like_data, line)):  # the sample may have fewer columns
            table = with_names(table, data.columns[: len(line)])
    joined = [name for name in (data.id, data.group, data.bag, data.fold) if name]
    return tidy(table, [name for name in named if name], joined)


def _beside(path: Path, data: DataConfig) -> list[Path]:
    """The other tables of labels and answers that are there, as far as they are plain text."""
    names = (data.train_csv, data.sample_submission)
    found = [Path(data.root) / name for name in names if name]
    return [other for other in found if other != path and _is_text(other)]


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".txt") and path.is_file()


def read_any(path: Path) -> Table:
    """A table of whatever competition, tidied."""
    return tidy(read_raw(path, skip=True))


def tidy(table: Table, named: Sequence[str] = (), joined: Sequence[str] = ()) -> Table:
    """A table without what stands around its cells.

    named: columns that are never left out. joined: columns in which texts that differ in the
    spaces around them are the same.
    """
    columns = header_names([str(name) for name in table.frame.columns], named)
    table = replace(table, frame=table.frame.set_axis(columns, axis=1), order=tuple(columns))
    out = _without_nameless(_stripped(_without_empty_rows(table), joined), named)
    refuse_names(out)
    return out


def tell(table: Table) -> None:
    """Say what was interpreted."""
    if table.notes:
        progress.say(f"{table.path}: {'; '.join(table.notes)}")


def header_names(cells: Sequence[str], named: Sequence[str] = ()) -> list[str]:
    """The names of columns: the cells of a header without spaces, pandas' names for empty ones.

    The cells of a row that stands in place of the header get different names.

    named: columns that the config names with their spaces.
    """
    names = [cell if cell in named else bare(cell) for cell in cells]
    row = _is_a_row(names)
    for place, name in enumerate(names):
        called = name or f"Unnamed: {place}"
        while (not name and called in names) or (row and called in names[:place]):
            called += ".1"
        names[place] = called
    return names


def _is_a_row(line: Sequence[str]) -> bool:
    """Whether a first line with equal cells is a row for certain: with an image, or numbers only.
    Its cells are told apart, for it is refused later with what to do."""
    return any(map(image_suffix, line)) or all(map(looks_like_data, line))


def looks_like_data(cell: str) -> bool:
    """Whether a cell of the first line is no name: a number, a path, or the name of an image."""
    cell = bare(cell)
    return bool(_NUMBER.fullmatch(cell) or "/" in cell or image_suffix(cell))


def refuse_no_header(table: Table, data: DataConfig, listing: Listing) -> None:
    """DataError where the names of the columns are a row: one is an image of the listing."""
    there = data.id in table.columns
    names = (data.id,) if there else table.columns
    images = [
        name
        for name in names
        if (looks_like_data(name) or not there) and len(listing.find(name)) == 1
    ]
    if images and not data.columns:
        raise DataError(
            f"{table.path}: its first line is no header: {images[0]!r} is an image in "
            f"{listing.folder}. Name the {len(table.columns)} columns of the table in the config, "
            f"such as `columns: [{', '.join(likely_names(table.columns, images[0]))}]` in data"
        )


def likely_names(columns: Sequence[str], key: str) -> list[str]:
    """Names for the columns of a table without a header. key: the one that holds ids."""
    out = [f"column_{number}" for number in range(1, len(columns) + 1)]
    out[columns.index(key)] = "id"
    if len(columns) == 2:
        out[1 - columns.index(key)] = "label"
    return out


def is_usage(table: Table, name: str) -> bool:
    """Whether a column says on which leaderboard a row is scored: no answer, and no class."""
    cells = {cell.lower() for cell in table.values[name]}
    return name.lower() == "usage" and cells <= {"public", "private", "ignored", ""}


def with_names(table: Table, names: Sequence[str]) -> Table:
    """A table without a header, whose columns have these names: its first line is a row.

    Raises DataError for another number of names.
    """
    line = [str(cell) for cell in table.frame.columns]
    if len(names) != len(line):
        raise DataError(
            f"{table.path}: data.columns names {len(names)} columns ({first(names, 12)}), but its "
            f"first line has {len(line)} cells: {first(line)}"
        )
    import pandas as pd

    head = pd.DataFrame([line], columns=[*names], dtype=object)
    body = table.frame.set_axis([*names], axis=1)
    return replace(
        table,
        frame=pd.concat([head, body], ignore_index=True),
        lines=(1, *table.lines),
        form=replace(table.form, headless=True),
        order=tuple(names),
    )


def _without_empty_rows(table: Table) -> Table:
    """Without rows that have several cells, all of them empty, as spreadsheets leave them."""
    if table.frame.shape[1] < 2:
        return table
    rows = zip(*(table.frame.iloc[:, k] for k in range(table.frame.shape[1])), strict=True)
    full = [any(map(bare, row)) for row in rows]
    gone = len(full) - sum(full)
    if not gone:
        return table
    lines = tuple(line for line, keep in zip(table.lines, full, strict=True) if keep)
    note = f"{gone} rows of empty cells are left out"
    frame = table.frame[full].reset_index(drop=True)
    return replace(table, frame=frame, lines=lines, notes=(*table.notes, note))


def _stripped(table: Table, joined: Sequence[str]) -> Table:
    columns, written, changed = [], dict(table.written), []
    for place, name in enumerate(table.order):
        cells = table.frame.iloc[:, place].tolist()
        columns.append(_strip(cells, behind=name in joined))
        if columns[-1] != cells:
            changed.append(name)
            written[name] = cells
    if not changed:
        return table
    import pandas as pd

    frame = pd.DataFrame(dict(enumerate(columns)), dtype=str).set_axis(list(table.order), axis=1)
    note = f"spaces around the cells of {first(changed)} are left out"
    return replace(table, frame=frame, written=written, notes=(*table.notes, note))


def _strip(cells: list[str], *, behind: bool) -> list[str]:
    """Without spaces before; and behind, unless that makes two different texts one."""
    out = [cell.lstrip(_SPACES) for cell in cells]
    texts = {*out}
    ends = {text: bare(text) for text in texts if text != bare(text)}
    merged = {*repeated(ends.values()), *(texts & {*ends.values()})}
    if not behind and any(end and not _NUMBER.fullmatch(end) for end in merged):
        return out
    return [ends.get(text, text) for text in out]


def _without_nameless(table: Table, named: Iterable[str]) -> Table:
    """Without columns that have no name and hold row numbers, or nothing."""
    keep, gone = list[str](), list[str]()
    others = [n for n in table.order if not _UNNAMED.fullmatch(n)]
    for name in table.order:
        numbers = _UNNAMED.fullmatch(name) and _row_numbers(table.frame[name].tolist(), others)
        (gone if numbers and name not in {*named} else keep).append(name)
    called = [name for name in keep if _UNNAMED.fullmatch(name) and name not in {*named}]
    notes = list(table.notes)
    if gone:
        what = "columns without a name that hold row numbers or nothing are left out"
        notes.append(f"{what}: {first(gone)}")
        written = {name: table.frame[name].tolist() for name in gone} | dict(table.written)
        table = replace(table, frame=table.frame[keep], written=written)
    if called:
        notes.append(f"columns without a name are called {first(called)}")
    return replace(table, notes=tuple(notes))


def _row_numbers(cells: list[str], others: Sequence[str]) -> bool:
    """Whether a nameless column beside `others` is no data: empty, or different whole numbers."""
    full = [cell for cell in cells if cell]
    if not full:
        return True
    whole = all(cell.removesuffix(".0").isdecimal() for cell in full)
    return whole and len({*full}) == len(full) and len(others) > 1
