"""Writing a submission: checked, compared with what was answered, then put in its place."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from comp.core import files, locks
from comp.core.checksums import digest_file
from comp.core.errors import SubmissionError
from comp.core.progress import say
from comp.submission.formats import Answers, Format
from comp.submission.gate import check_submission
from comp.submission.names import base_name


def write_submission(
    json_path: Path, file_format: Format, answers: Iterable[Answers], manifest: dict[str, Any]
) -> tuple[Path, int]:
    """Write a submission beside `json_path`, then its manifest, which makes it whole.

    answers: consumed one after the other, so that masks need not be in memory at once; for tables
    one `Answers` with all rows. What was written is read back, checked and compared with the
    answers before it replaces anything. A name has one file: one of another format is removed.
    json_path: `<name>.json`; gets `manifest` with the name, rows and SHA-256 of the file.
    Returns the path of the file (`<name>` and the suffix of the format), and how many rows, files
    or results it has. Raises SubmissionError with everything for which the file would be refused;
    the old file is then still there.
    """
    path = json_path.with_name(base_name(json_path) + file_format.suffix)
    with one_writer(path.parent):
        files.sweep(path.parent)
        old = _other_format(json_path, path)
        with files.replacing(path) as beside:
            columns, count = file_format.write(beside, answers)
            if check_submission(beside, file_format, shown_as=path) != columns:
                raise SubmissionError(f"{path}: read back, it is not what was answered")
            about = {"file": path.name, "rows": count, "sha256": digest_file(beside)}
            files.remove(json_path)
        if old is not None:
            files.remove(old)
            say(f"{old} is replaced by {path}")
        files.write_json(json_path, manifest | about)
    return path, count


def one_writer(folder: Path) -> AbstractContextManager[Any]:
    """Hold the folder of submissions: a file and its manifest belong to one writer, and the
    leaderboard scores too. Another writer waits."""
    return locks.writing(folder, name=".lock", wait=True)


def _other_format(json_path: Path, path: Path) -> Path | None:
    """The file that the submission named like `path` has now, by its manifest, where it is of
    another format."""
    try:
        old = json_path.with_name(str(files.read_json(json_path, SubmissionError)["file"]))
    except (SubmissionError, KeyError, TypeError, ValueError):  # no manifest, or a torn one
        return None
    same_name = base_name(old) == base_name(path)
    return old if same_name and old.name != path.name and old.is_file() else None
