"""The gate: which format a submission has, and whether a competition would accept it."""

from __future__ import annotations

from pathlib import Path

from comp.core.errors import ConfigError, SubmissionError, complain
from comp.submission.diff import Diff
from comp.submission.formats import FORMATS, Competition, Format
from comp.submission.formats.format import Columns

# spatial -> `submission.write` -> the name of the format
_WRITTEN_AS = {
    False: {"auto": "csv", "label": "csv", "probability": "csv"},
    True: {
        "auto": "rle",
        "rle": "rle",
        "masks": "png",
        "coco": "coco",
        "boxes": "boxes",
        "objects": "objects",
    },
}
_NAMED = {".zip": "png", ".json": "coco"}  # suffix -> format; others are tables
_OTHER_TABLES = ("boxes", "objects")  # of masks; a table is one where `submission.write` says so
_TABLES = ("rle", "csv")  # in the order in which a table is tried


def open_format(competition: Competition, file: Path | None = None) -> Format:
    """The format of a competition as its sample shows it: that of `submission.write`, or of a file
    that exists.

    Raises ConfigError for a `submission.write` that is not for the task, and what `read_sample`
    raises.
    """
    names = _WRITTEN_AS[competition.task.spatial]
    name = names["auto"]
    if file is not None and competition.task.spatial:
        asked = names.get(competition.write, name)
        name = _NAMED.get(file.suffix, asked if asked in _OTHER_TABLES else name)
    elif file is None:
        if competition.write not in names:
            raise ConfigError(
                f"submission.write: {competition.write!r} is not for {competition.task.name}; "
                f"use one of: {', '.join(names)}"
            )
        name = names[competition.write]
    return FORMATS[name].read_sample(competition)


def check_submission(path: Path, file_format: Format, *, shown_as: Path | None = None) -> Columns:
    """The answer columns of a submission that a competition would accept.

    shown_as: the name of the file in messages. Raises SubmissionError with everything for which
    it would be refused.
    """
    columns, complaints = file_format.read_back(path)
    complain(SubmissionError, f"{shown_as or path}: would be refused:", complaints)
    return columns


def diff_submissions(one: Path, two: Path, id_column: str | None = None) -> Diff:
    """The differences between two submissions of one format, joined by id.

    The ids are in `id_column`, or in the first column without that one. Raises SubmissionError for
    two formats, other columns or other ids; DataError for what is no table.
    """
    named = {_NAMED.get(path.suffix) for path in (one, two)}
    if len(named) > 1:
        raise SubmissionError(f"{one} and {two} cannot be compared: they have different formats")
    found = None
    for name in _TABLES if named == {None} else named:
        found = found or FORMATS[str(name)].diff(one, two, id_column)
    assert found is not None, "the last format compares any table"
    return found
