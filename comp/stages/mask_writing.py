"""The masks of the test images, answered one after the other and written in the form asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import SubmissionError
from comp.ensemble.answers import MaskAnswers
from comp.stages.submission import Gate
from comp.submission.masks import RunWriter, coco_results, write_zip
from comp.submission.write import finish, other_form, render_cells, write_content

Array = np.ndarray[Any, Any]
Answered = Iterator[tuple[str, Array, Array]]  # id, mask (L, H, W), probabilities (C, H, W)

WRITES = {"rle": ".csv", "masks": ".zip", "coco": ".coco.json"}  # the form -> how files end


def write_masks(
    answers: MaskAnswers,
    data: DataConfig,
    gate: Gate,
    paths: Workspace,
    writes: str,
    manifest: dict[str, Any],
) -> tuple[Path, int]:
    """Write the file, then its manifest; where it is, and how many rows, files or results it has.

    What is written is read back and compared with what was answered before it replaces a file that
    is there; SubmissionError where it is not the same.
    """
    assert gate.masks is not None
    runs = RunWriter(gate.masks.asked, gate.masks.codes, data.rle_order)
    path = paths.submission_csv.with_suffix(WRITES[writes])
    if writes == "rle":
        for name, mask, _ in answers:
            runs.add(name, mask)
        content = render_cells(gate.sample, [runs.cells])
        write_content(path, paths.submission_json, gate.sample, gate.form, content, manifest)
        _compare(list(gate.check(path)[gate.sample.answers[0]]), runs, path)
        return path, len(runs.cells)
    old = other_form(paths.submission_json, path)
    with files.replacing(path) as beside:
        count = _FORMS[writes](beside, _noted(answers, runs), gate)
        _compare(gate.masks.cells(beside, zipped=writes == "masks"), runs, path)
        files.remove(paths.submission_json)
    finish(paths.submission_json, path, count, manifest, old)
    return path, count


def _noted(answers: MaskAnswers, runs: RunWriter) -> Answered:
    for name, mask, probs in answers:
        runs.add(name, mask)
        yield name, mask, probs


def _compare(cells: list[str], runs: RunWriter, path: Path) -> None:
    if cells != runs.cells:
        raise SubmissionError(f"{path}: read back it is not what was answered")


def _zip(path: Path, answered: Answered, gate: Gate) -> int:
    assert gate.masks is not None
    return write_zip(path, ((name, mask) for name, mask, _ in answered), gate.masks.classes)


def _coco(path: Path, answered: Answered, gate: Gate) -> int:
    assert gate.masks is not None
    numbers, found = gate.masks.numbers, list[dict[str, Any]]()
    for name, mask, probs in answered:
        found += coco_results(numbers.get(name, name), mask, probs, gate.masks.codes)
    path.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
    return len(found)


_FORMS: dict[str, Callable[[Path, Answered, Gate], int]] = {"masks": _zip, "coco": _coco}
