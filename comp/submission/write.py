"""The submission file: rows found by id, checked before it is written and read back after."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums, files
from comp.core.errors import CompError, SubmissionError, complain, first, repeated
from comp.core.progress import say
from comp.submission.form import Form
from comp.submission.gate import check_submission
from comp.submission.sample import Sample, lines

Array = np.ndarray[Any, Any]

ENDS = (".csv", ".zip", ".coco.json")  # of a submission


def written_in(folder: Path) -> list[Path]:
    """The submissions in a folder, without their manifests."""
    return sorted(path for end in ENDS for path in folder.glob(f"*{end}"))


def base_name(path: Path) -> str:
    """The name of a submission, or of its manifest, without its end."""
    ends = [end for end in (*ENDS, ".json") if path.name.endswith(end)]
    return path.name.removesuffix(ends[0]) if ends else path.stem


def manifest_path(path: Path) -> Path:
    """Where the manifest of a submission stands: beside it, `<name>.json`."""
    return path.with_name(base_name(path) + ".json")


def render(
    sample: Sample, form: Form, ids: Sequence[str], labels: Array, probs: Array | None
) -> bytes:
    """The content of a submission. Rows are found by id, and stand in the order of the sample.

    Raises SubmissionError when the ids are not those of the sample, or a text does not fit its
    encoding.
    """
    rows = _rows_of(sample, ids)
    return render_cells(sample, form.cells(labels[rows], None if probs is None else probs[rows]))


def render_cells(sample: Sample, cells: Sequence[Sequence[str]]) -> bytes:
    """The content of a submission from its answer columns, their cells in the sample's order."""
    filled = dict(zip(sample.answers, cells, strict=True)) | {sample.id_column: list(sample.ids)}
    filled |= {name: list(fixed) for name, fixed in sample.fixed.items()}
    rows_of_cells = zip(*(filled[name] for name in sample.columns), strict=True)
    text = sample.newline + lines(rows_of_cells, sample.delimiter, sample.newline)
    if not sample.final_newline:
        text = text.removesuffix(sample.newline)
    try:
        return sample.header + text.encode(sample.encoding)
    except UnicodeEncodeError as problem:
        letter = problem.object[problem.start]
        raise SubmissionError(
            f"{sample.path}: is {sample.encoding} text, which has no {letter!r}; save it as UTF-8"
        ) from problem


def _rows_of(sample: Sample, ids: Sequence[str]) -> Array:
    place = {name: row for row, name in enumerate(ids)}
    missing = [name for name in sample.ids if name not in place]
    wanted = set(sample.ids)
    extra = [name for name in ids if name not in wanted]
    complaints = [f"no answer for {len(missing)} ids: {first(missing)}"] if missing else []
    if extra:
        complaints.append(f"{len(extra)} answers that are not asked for: {first(extra)}")
    if len(place) < len(ids):
        complaints.append(f"ids answered twice: {first(repeated(ids))}")
    counts = f"{len(sample.ids)} ids in the sample, {len(ids)} images answered"
    complain(SubmissionError, f"{sample.path}: {counts}:", complaints)
    return np.fromiter((place[name] for name in sample.ids), dtype=np.int64, count=len(wanted))


def write_submission(
    csv_path: Path,
    json_path: Path,
    sample: Sample,
    form: Form,
    *,
    ids: Sequence[str],
    labels: Array,
    probs: Array | None,
    manifest: dict[str, Any],
) -> None:
    """Write the submission, then its manifest, which makes it whole: `manifest` and the SHA-256.

    ids: (N,) in any order; labels: (N,) or (N, C); probs: (N, C) or None. The content is checked
    before anything is touched, and what is on the disk is compared with it afterwards. Raises
    SubmissionError with all complaints; the old file is then still there.
    """
    content = render(sample, form, ids, labels, probs)
    write_content(csv_path, json_path, sample, form, content, manifest)


def write_content(
    csv_path: Path,
    json_path: Path,
    sample: Sample,
    form: Form,
    content: bytes,
    manifest: dict[str, Any],
) -> None:
    """Write a table that is ready, as `write_submission` does."""
    check_submission(content, sample, form, where=str(csv_path))
    digest = hashlib.sha256(content).hexdigest()
    old = other_form(json_path, csv_path)
    _remove(json_path)
    files.write_bytes(csv_path, content)
    if checksums.digest_file(csv_path) != digest:
        raise SubmissionError(f"{csv_path}: not what was written; is the disk failing?")
    finish(json_path, csv_path, len(sample.ids), manifest, old)


def other_form(json_path: Path, path: Path) -> Path | None:
    """The file of another form that a submission of the name of `path` has now, by its manifest."""
    try:
        old = json_path.with_name(str(files.read_json(json_path, SubmissionError)["file"]))
    except (SubmissionError, KeyError, TypeError, ValueError):  # none, or torn: nothing is known
        return None
    same_name = base_name(old) == base_name(path)
    return old if same_name and old.name != path.name and old.is_file() else None


def finish(
    json_path: Path, path: Path, rows: int, manifest: dict[str, Any], old: Path | None
) -> None:
    """Write the manifest of a file that is in its place; `old`, of another form, goes before: a
    submission has one file."""
    if old is not None:
        _remove(old)
        say(f"{old} is replaced by {path}")
    facts = {"file": path.name, "rows": rows, "sha256": checksums.digest_file(path)}
    files.write_json(json_path, manifest | facts)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise CompError(f"{path}: cannot be replaced ({problem.strerror})") from problem
