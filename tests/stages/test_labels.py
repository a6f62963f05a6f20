"""Doubted labels become a table, the most doubted first, and a sheet of pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import ground_of, model_of

from comp.data.index.tables import read_table
from comp.ensemble.label_issues import LabelIssue
from comp.stages import labels as stage
from comp.stages.ensembling.members import Ground
from comp.stages.labels import LabelIssues, find_issues

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def found(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Ground, LabelIssues, list[Any]]]:
    """`found("binary", probs)`: the issues that these out-of-fold probabilities raise, and what
    was drawn."""

    def find(
        kind: str, probs: Callable[[Ground], Any], sheet: int = 4, out: Path | None = None
    ) -> tuple[Ground, LabelIssues, list[Any]]:
        ground = ground_of(toy(kind, 12))
        models, sheets = [model_of(ground, probs(ground))], []
        asked: list[Any] = []

        def gather(_: Ground, runs: Any, *rest: Any) -> Any:
            asked.append((runs, *rest))
            return models

        def contact_sheet(*given: Any, columns: int) -> None:
            sheets.append((*given, columns))

        with monkeypatch.context() as patch:
            patch.setattr(stage, "gather", gather)
            patch.setattr(stage, "contact_sheet", contact_sheet)
            issues = find_issues(ground.experiment, (), out, sheet)
        assert asked == [((ground.experiment.name,), (), None)]
        return ground, issues, sheets

    return find


def sure(ground: Ground) -> Any:
    """Probabilities that agree with every label, (12, 1)."""
    return np.where(ground.index.labels, 0.875, 0.125)[:, None].astype(np.float32)


def but_two(ground: Ground) -> Any:
    """The same, but rows 3 and 6 are doubted, 6 the most."""
    probs = sure(ground)
    probs[3], probs[6] = 0.25, 1.0
    return probs


def test_the_table_holds_the_doubted_labels_with_the_most_doubted_first(found: Any) -> None:
    _, issues, _ = found("binary", but_two)
    path = Path("runs/toy_binary/label_issues.csv")
    assert path.read_text() == (
        "id,label,given,likely,margin,sure\n"
        "00006,,0,1,-1.000000,1\n"
        "00003,,1,0,-0.500000,1\n"
    )  # fmt: skip
    assert issues.rows == 12
    assert [issue.id for issue in issues.issues] == ["00006", "00003"]
    assert issues.written == (path, path.with_suffix(".png"))


def test_no_cell_of_the_table_is_a_formula(tmp_path: Path) -> None:
    cells = ["=cmd()", "+1+1", "-x", "@sum", "\tx", "-1", "+2.5", "a=b", "한", ""]
    issue = LabelIssue(0, "=1", "", "", "", 0.5, True)
    stage._write([replace(issue, given=cell) for cell in cells], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as table:
        rows = [*csv.DictReader(table)]
    assert [row["given"] for row in rows] == [
        *("'=cmd()", "'+1+1", "'-x", "'@sum", "'\tx"),
        *("-1", "+2.5", "a=b", "한", ""),
    ]
    assert {row["id"] for row in rows} == {"'=1"}


def test_a_picture_is_titled_with_its_label_and_the_likely_one(found: Any) -> None:
    _, _, ((pictures, titles, path, columns),) = found("binary", but_two, sheet=1)
    assert titles == ["0? 1  00006"]
    assert (path, columns) == (Path("runs/toy_binary/label_issues.png"), 8)
    assert pictures[0].shape == (128, 128, 3)
    assert abs(float(pictures[0].mean()) - 40) < 5  # image 6 is a dark one


def test_several_labels_are_ranked_together_by_column(found: Any) -> None:
    def probs(ground: Ground) -> Any:
        out = np.where(ground.index.labels, 0.875, 0.125).astype(np.float32)
        out[0, 0], out[1, 1] = 0.0, 0.25
        return out

    _, issues, _ = found("multilabel", probs)
    table = read_table(Path("runs/toy_multilabel/label_issues.csv")).values
    assert list(zip(table["id"], table["label"], table["given"], strict=True)) == [
        ("00000", "bright", "1"),
        ("00001", "odd", "1"),
    ]
    assert [issue.likely for issue in issues.issues] == ["0", "0"]


def test_without_doubts_or_without_a_sheet_there_is_no_picture(found: Any) -> None:
    _, issues, sheets = found("binary", sure)
    assert (issues.issues, sheets) == ((), [])
    assert issues.written == (Path("runs/toy_binary/label_issues.csv"),)
    assert issues.written[0].read_text() == "id,label,given,likely,margin,sure\n"
    _, issues, sheets = found("binary", but_two, sheet=0, out=Path("mine/doubts.csv"))
    assert (len(issues.issues), sheets) == (2, [])
    assert issues.written == (Path("mine/doubts.csv"),)


def test_masks_are_doubted_by_their_dice(found: Any) -> None:
    def maps(ground: Ground) -> Any:
        masks = ground.index.masks
        assert masks is not None
        truth = np.stack([masks.read(row)[..., 0] for row in range(12)])
        truth[2] = 0  # the box of image 2 is not predicted
        return np.stack([255 * (truth == n) for n in range(3)], axis=1).astype(np.uint8)

    _, issues, ((pictures, titles, _, columns),) = found("segmentation", maps)
    assert issues.rows == 12
    first = issues.issues[0]
    assert (first.id, first.label, first.given, first.likely) == (
        "00002.png", "2", "marked", "nothing",
    )  # fmt: skip
    margins = [issue.margin for issue in issues.issues]
    assert margins == sorted(margins)
    assert (margins[0], {*margins[1:]}) == (0.0, {1.0})
    assert titles[:2] == ["marked  00002.png", "predicted  00002.png"]
    assert columns == 4
    assert (pictures[0] != pictures[1]).any()
    assert len(titles) == len({*titles}) == 8  # four images, each once
