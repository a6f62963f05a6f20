"""What holds for every format in the table FORMATS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, SubmissionError
from comp.data.index.index import Index
from comp.submission import (
    FORMATS,
    Answers,
    Competition,
    Format,
    check_submission,
    diff_submissions,
    open_format,
    write_submission,
)
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

IDS, SIZE, CLASSES = ("a", "b_1", "가"), (9, 14), ("dent", "rust")
WRITES = {"csv": "label", "rle": "rle", "png": "masks", "coco": "coco"}
WRITES |= {name: name for name in ("boxes", "objects")}
CASES = [
    ("csv", "multiclass"),
    ("csv", "multilabel"),
    *((name, task) for name in ("rle", "png", "coco", "boxes", "objects")
      for task in ("segmentation", "multilabel_segmentation")),
]  # fmt: skip


def competition(folder: Path, task: str, write: str) -> Competition:
    """Three test images, without a sample submission."""
    paths = []
    for name in IDS:
        paths.append(folder / f"{name}.png")
        cv2.imencode(".png", np.zeros((*SIZE, 3), np.uint8))[1].tofile(paths[-1])
    columns = CLASSES if task == "multilabel" else ("label",)
    data = DataConfig(root=str(folder), layout="csv", target=columns)
    metric = METRICS["dice" if TASKS[task].spatial else "macro_f1"]
    test = Index(IDS, tuple(paths), CLASSES)
    return Competition(None, data, TASKS[task], metric, test, CLASSES, ("1", "2"), write, {})


def answers(file_format: Format, task: str, seed: int) -> Iterator[Answers]:
    """Random answers, in an order that is not the sample's; masks image by image."""
    draw = np.random.default_rng(seed)
    if not TASKS[task].spatial:
        shape = (3, 2) if task == "multilabel" else (3,)
        yield Answers(IDS[::-1], draw.integers(0, 2, shape), None)
        return
    for name in IDS[::-1]:
        if task == "segmentation":
            mask = draw.integers(0, 3, (1, *SIZE))
        else:
            mask = draw.integers(0, 2, (2, *SIZE))
        probs = draw.random((1, 3 if task == "segmentation" else 2, *SIZE))
        yield Answers((name,), mask[None].astype(np.uint8), probs)


@pytest.fixture(params=CASES, ids=[f"{name}-{task}" for name, task in CASES])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Format, str]:
    name, task = request.param
    return open_format(competition(tmp_path, task, WRITES[name])), task


def write(folder: Path, name: str, case: tuple[Format, str], seed: int = 0) -> Path:
    given = answers(case[0], case[1], seed)
    return write_submission(folder / f"{name}.json", case[0], given, {})[0]


def test_every_format_has_a_case() -> None:
    assert {name for name, _ in CASES} == set(FORMATS)


def test_what_is_written_passes_the_gate_and_reads_back(
    tmp_path: Path, case: tuple[Format, str]
) -> None:
    file_format, task = case
    columns, _ = file_format.write(tmp_path / "direct", answers(file_format, task, 0))
    path = write(tmp_path, "x", case)
    assert path.name == f"x{file_format.suffix}"
    assert check_submission(path, file_format) == columns
    assert any(cell not in ("", "0") for cells in columns.values() for cell in cells)
    assert file_format.check(path, columns) == []


def test_only_other_answers_make_a_difference(tmp_path: Path, case: tuple[Format, str]) -> None:
    paths = [write(tmp_path, f"x{seed}", case, seed) for seed in (0, 1)]
    assert diff_submissions(paths[0], paths[0]).ids == ()
    assert diff_submissions(*paths).ids != ()


def test_an_image_without_an_answer_leaves_the_old_file(
    tmp_path: Path, case: tuple[Format, str]
) -> None:
    old = write(tmp_path, "x", case).read_bytes()
    pieces = list(answers(case[0], case[1], 1))
    last = pieces.pop()
    if len(last.ids) > 1:
        pieces.append(Answers(last.ids[:-1], last.labels[:-1], None))
    with pytest.raises(SubmissionError, match="no answer for 1"):
        write_submission(tmp_path / "x.json", case[0], pieces, {})
    assert (tmp_path / f"x{case[0].suffix}").read_bytes() == old


def test_a_damaged_file_is_refused(tmp_path: Path, case: tuple[Format, str]) -> None:
    path = write(tmp_path, "x", case)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SubmissionError):
        check_submission(path, case[0])


def test_shares_of_the_file_are_those_of_the_answers(
    tmp_path: Path, case: tuple[Format, str]
) -> None:
    file_format, task = case
    pieces = list(answers(file_format, task, 0))
    columns = check_submission(write(tmp_path, "x", case), file_format)
    labels: Any = pieces[0].labels
    if TASKS[task].spatial:
        masks = [piece.labels[0] for piece in pieces]
        labels = np.array([[(m[0] == c + 1).any() if len(m) == 1 else m[c].any()
                            for c in range(2)] for m in masks])  # fmt: skip
    expected = file_format.content.expected_shares(labels, None)
    assert file_format.content.shares(columns) == pytest.approx(expected)


@pytest.mark.parametrize(("task", "write"), [("segmentation", "label"), ("multiclass", "rle")])
def test_a_write_that_is_not_for_the_task_is_refused(tmp_path: Path, task: str, write: str) -> None:
    with pytest.raises(ConfigError, match=f"'{write}' is not for {task}; use one of: auto"):
        open_format(competition(tmp_path, task, write))
