"""What would be accepted and should be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comp.submission import check_submission, make_form, read_sample
from comp.submission.form import Form
from comp.submission.sample import Sample
from comp.submission.submission_warnings import doubts, repeats, shares
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

F1 = METRICS["macro_f1"]


def gate(folder: Path, rows: int = 200) -> tuple[Sample, Form]:
    path = folder / "sample.csv"
    path.write_text("id,label\n" + "".join(f"{n},cat\n" for n in range(rows)))
    sample = read_sample(path, "id")
    return sample, make_form(sample, TASKS["multiclass"], ("cat", "dog", "fox"), F1)


def told(folder: Path, labels: list[str], **more: object) -> list[str]:
    sample, form = gate(folder, len(labels))
    content = ("id,label\n" + "".join(f"{n},{t}\n" for n, t in enumerate(labels))).encode()
    table = check_submission(content, sample, form)
    return doubts(table, content, sample, form, **more)  # type: ignore[arg-type]


def test_an_answer_with_the_expected_shares_is_not_doubted(tmp_path: Path) -> None:
    labels = ["cat"] * 110 + ["dog"] * 90
    expected = {"cat": 0.5, "dog": 0.5}
    assert told(tmp_path, labels, expected=expected, judged_on=500) == []


def test_a_share_far_from_the_out_of_fold_one_is_told(tmp_path: Path) -> None:
    labels = ["cat"] * 150 + ["dog"] * 50
    found = told(tmp_path, labels, expected={"cat": 0.4, "dog": 0.6}, judged_on=500)
    assert len(found) == 1
    assert "cat 75.0% (out of fold 40.0%), dog 25.0% (out of fold 60.0%)" in found[0]


def test_chance_alone_is_not_doubted(tmp_path: Path) -> None:
    found = told(
        tmp_path, ["cat"] * 7 + ["dog"] * 3, expected={"cat": 0.4, "dog": 0.6}, judged_on=9
    )
    assert found == []


def test_a_single_answer_for_all_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, ["dog"] * 5) == ["all 5 rows have the same answer: dog"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1,1,0", "1,0,0"], ["1 of 3 labels are given to every row: a"]),
        (["1,1,1", "1,1,0"], ["2 of 3 labels are given to every row: a, b"]),
        (["0,1,0", "1,0,0"], []),
    ],
)
def test_labels_that_every_row_is_given_are_told(
    tmp_path: Path, rows: list[str], expected: list[str]
) -> None:
    """A rare label that no row is given is nothing odd."""
    path = tmp_path / "sample.csv"
    path.write_text("id,a,b,c\nx,0,0,0\ny,0,0,0\n")
    sample = read_sample(path, "id")
    form = make_form(sample, TASKS["multilabel"], ("a", "b", "c"), F1)
    content = f"id,a,b,c\nx,{rows[0]}\ny,{rows[1]}\n".encode()
    table = check_submission(content, sample, form)
    assert doubts(table, content, sample, form) == expected


def test_the_same_bytes_as_an_earlier_submission_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    folder.mkdir()
    content = b"id,label\n0,cat\n1,dog\n"
    for name in ("old.csv", "new.csv"):
        (folder / name).write_bytes(content)
    (folder / "other.csv").write_bytes(content.replace(b"dog", b"cat"))
    assert repeats(folder / "new.csv") == ["identical to an earlier submission: old.csv"]
    assert repeats(folder / "other.csv") == []


def test_other_newlines_and_byte_order_marks_are_told_but_pass(tmp_path: Path) -> None:
    sample, form = gate(tmp_path, 2)
    content = b"\xef\xbb\xbfid,label\r\n0,cat\r\n1,dog\r\n"
    found = doubts(check_submission(content, sample, form), content, sample, form)
    assert found == [
        "the file has a byte order mark, the sample is the other way round",
        r"lines end otherwise than in the sample ('\n')",
    ]


def test_shares_are_means_of_columns_and_counts_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("id,a,b\n0,0,0\n1,0,0\n")
    form = make_form(read_sample(path, "id"), TASKS["multilabel"], ("a", "b"), F1)
    cells = dict(zip(("a", "b"), form.cells(np.array([[1, 0], [1, 1]]), None), strict=True))
    assert shares(cells, form) == {"a": 1.0, "b": 0.5}
    assert shares(cells, form, [3, 1]) == {"a": 1.0, "b": 0.25}
    path.write_text("id,tags\n0,a\n1,a\n")
    form = make_form(read_sample(path, "id"), TASKS["multilabel"], ("a", "b"), F1)
    assert shares({"tags": ["a b", "b"]}, form) == {"a": 0.5, "b": pytest.approx(1.0)}
