"""The masks of the test images, answered one after the other and written in the form asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import SubmissionError
from comp.data.images.decode import image_size
from comp.data.images.geometry import scaled
from comp.data.index.masks import Masks
from comp.data.layouts.test_answers import read_true_masks
from comp.ensemble.blend import Blend, check_members
from comp.ensemble.rules.regions import RegionRule, decide, merged
from comp.ensemble.votes import Vote
from comp.stages.mask_scene import each_row
from comp.stages.members import Ground, Model
from comp.stages.submission import Gate
from comp.submission.masks import RunWriter, coco_results, write_zip
from comp.submission.write import finish, other_form, render_cells, write_content
from comp.tasks.counts import count_pixels

Array = np.ndarray[Any, Any]
Answered = Iterator[tuple[str, Array, Array]]  # id, mask (L, H, W), probabilities (C, H, W)

WRITES = {"rle": ".csv", "masks": ".zip", "coco": ".coco.json"}  # the form -> how files end


class Answers:
    """The masks of the test images, one after the other; `there` counts, a class, the images in
    which it is, and where the answers are known they are compared on the way."""

    def __init__(
        self, ground: Ground, models: Sequence[Model], blend: Blend, vote: Vote, rule: RegionRule
    ) -> None:
        tests = [test for model in models for test in model.tests]
        names = ground.experiment.task.column_names(ground.index.classes)
        check_members(tests, names, ground.plan.fingerprint)
        self.ground, self.rule, self.vote = ground, rule, vote
        self.members = [test.probs for test in tests]
        place = [{name: row for row, name in enumerate(test.ids)} for test in tests]
        self.rows = [[where[name] for where in place] for name in ground.test.ids]
        self.weights = np.asarray(blend.weights)
        self.there = np.zeros(len(ground.index.classes))
        self.truth: Masks | None = read_true_masks(
            ground.experiment.data,
            ground.experiment.task,
            ground.index.classes,
            ground.test.ids,
            ground.index.codes,
        )
        self.counts: list[Array] = []

    def __iter__(self) -> Answered:
        """Id, mask (L, H, W) and probabilities (C, H, W) of each image, at its own size."""
        task, test = self.ground.experiment.task, self.ground.test
        self.there[:], self.counts = 0, []

        def answer(row: int) -> tuple[str, Array, Array]:
            size = image_size(test.paths[row])
            maps = merged(self.members, self.rows[row], self.weights, self.vote, task)
            probs = scaled(maps, *size)
            return test.ids[row], decide(probs, self.rule, task), probs

        columns = task.columns(len(self.there))
        for row, found in enumerate(each_row(answer, len(test), "answering")):
            mask = found[1]
            for c in range(len(self.there)):
                own = mask[0] == c + 1 if len(mask) < len(self.there) else mask[c] == 1
                self.there[c] += own.any()
            if self.truth is not None:
                true = self.truth.read(row).transpose(2, 0, 1)
                self.counts.append(count_pixels(true, mask, columns))
            yield found

    def true_score(self) -> float | None:
        """The score on the test answers, where they are known."""
        if self.truth is None:
            return None
        counts = np.stack(self.counts)
        return self.ground.experiment.metric.score(counts, counts, len(self.there))


def write_masks(
    answers: Answers, gate: Gate, paths: Workspace, writes: str, manifest: dict[str, Any]
) -> tuple[Path, int]:
    """Write the file, then its manifest; where it is, and how many rows, files or results it has.

    What is written is read back and compared with what was answered before it replaces a file that
    is there; SubmissionError where it is not the same.
    """
    assert gate.masks is not None
    data = answers.ground.experiment.data
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


def _noted(answers: Answers, runs: RunWriter) -> Answered:
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
