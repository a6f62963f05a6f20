"""What is printed about submissions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comp.report.console.submission_tables import print_diff, print_explained
from comp.submission.diff import ClassDiff, Diff

LABELS = Diff(4, ("1", "3"), {("label", "cat", "dog"): 2}, {"p": (0.25, 0.5)})
MASKS = Diff(3, ("b",), classes={"dent": ClassDiff(2, 1, 1, 0, 0.75)}, dice={"b": 0.125})


def test_labels_are_counted_from_class_to_class(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(LABELS, as_json=False)
    out = capsys.readouterr().out
    assert "2 of 4 rows differ (50.0%)" in out
    assert "p: mean difference 0.25, largest 0.5" in out
    assert "rows: 1, 3" in out
    assert "Dice" not in out


def test_masks_are_compared_per_class(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(MASKS, as_json=False)
    out = capsys.readouterr().out
    assert "1 of 3 images with a mask differ (33.3%)" in out
    assert "lowest Dice: b (Dice 0.125)" in out
    row = next(line for line in out.splitlines() if "dent" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["dent", "2", "1", "1", "0", "0.7500"]


def test_differences_are_plain_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(LABELS, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["changes"] == [{"column": "label", "from": "cat", "to": "dog", "rows": 2}]
    assert found["numbers"] == {"p": {"mean": 0.25, "largest": 0.5}}
    print_diff(MASKS, as_json=True)
    found = json.loads(capsys.readouterr().out)
    dent = {"both": 2, "unlike": 1, "first": 1, "second": 0, "dice": 0.75}
    assert found == {"images": 3, "by_class": {"dent": dent}, "unlike": {"b": 0.125}}


def manifest(rule: list[Any], **over: Any) -> dict[str, Any]:
    scores = {"raw": 0.5, "tuned": 0.6, "honest": None, "low": 0.4, "high": 0.7}
    blend = {"members": [{"run": "x", "fold": 0}], "vote": "soft", "weigher": "equal",
             "weights": [1.0], "rule": rule, "scores": scores, "note": ""}  # fmt: skip
    plain = {"file": "x.csv", "rows": 3, "sha256": "ab" * 32, "task": "t", "metric": "m",
             "plan": "p", "covered": 9, "of": 9, "blend": blend, "versions": {"comp": "0.2.0"},
             "commit": None}  # fmt: skip
    return {**plain, **over}


@pytest.mark.parametrize(
    ("rule", "by_class", "text"),
    [
        ([0.5, 0.25], None, "rule 0.5 0.25"),
        ([[0.5, 0.25], [0.5, 0.75]], None, "rule one for each of 2 members"),
        ([[0.5, 30, 0]], {"dent": 0.9}, "rule dent: 0.5/30/0 (threshold/smallest region/"),
    ],
)
def test_a_rule_is_shown_as_what_it_is_for(
    capsys: pytest.CaptureFixture[str], rule: list[Any], by_class: Any, text: str
) -> None:
    over = {} if by_class is None else {"by_class": by_class}
    print_explained(manifest(rule, **over), whole=False, as_json=False)
    out = capsys.readouterr()
    assert text in out.out
    assert "honest undefined" in out.out
    assert "was changed after it was written" in out.err
