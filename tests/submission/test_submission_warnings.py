"""What a competition would accept and its owner should look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.submission import submission_warnings
from comp.submission.formats.cells import make_cells
from comp.submission.formats.csv import CsvFormat
from comp.submission.sample import read_sample
from comp.submission.submission_warnings import same_bytes
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

F1 = METRICS["macro_f1"]


def labels_format(folder: Path, rows: int) -> CsvFormat:
    path = folder / "sample.csv"
    path.write_text("id,label\n" + "".join(f"{n},cat\n" for n in range(rows)))
    sample = read_sample(path, "id")
    return CsvFormat(sample, make_cells(sample, TASKS["multiclass"], ("cat", "dog", "fox"), F1))


def warnings(folder: Path, labels: list[str], *expected: Any) -> list[str]:
    path = folder / "submissions" / "mine.csv"
    path.parent.mkdir()
    path.write_text("id,label\n" + "".join(f"{n},{t}\n" for n, t in enumerate(labels)))
    return submission_warnings(path, labels_format(folder, len(labels)), *expected)


def test_an_answer_with_the_expected_shares_has_no_warning(tmp_path: Path) -> None:
    labels = ["cat"] * 110 + ["dog"] * 90
    expected = {"cat": 0.5, "dog": 0.5}
    assert warnings(tmp_path, labels, expected, 500) == []


def test_a_share_far_from_the_out_of_fold_one_is_warnings(tmp_path: Path) -> None:
    labels = ["cat"] * 150 + ["dog"] * 50
    found = warnings(tmp_path, labels, {"cat": 0.4, "dog": 0.6}, 500)
    assert len(found) == 1
    assert "cat 75.0% (out of fold 40.0%), dog 25.0% (out of fold 60.0%)" in found[0]


def test_chance_alone_has_no_warning(tmp_path: Path) -> None:
    found = warnings(tmp_path, ["cat"] * 7 + ["dog"] * 3, {"cat": 0.4, "dog": 0.6}, 9)
    assert found == []


def test_a_single_answer_for_all_is_warnings(tmp_path: Path) -> None:
    assert warnings(tmp_path, ["dog"] * 5) == ["all 5 rows have the same answer: dog"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1,1,0", "1,0,0"], ["1 of 3 labels are given to every row: a"]),
        (["1,1,1", "1,1,0"], ["2 of 3 labels are given to every row: a, b"]),
        (["0,1,0", "1,0,0"], []),
    ],
)
def test_labels_that_every_row_is_given_are_warned_of(
    tmp_path: Path, rows: list[str], expected: list[str]
) -> None:
    """A rare label that no row is given is nothing odd."""
    path = tmp_path / "sample.csv"
    path.write_text("id,a,b,c\nx,0,0,0\ny,0,0,0\n")
    sample = read_sample(path, "id")
    form = CsvFormat(sample, make_cells(sample, TASKS["multilabel"], ("a", "b", "c"), F1))
    mine = tmp_path / "submissions" / "mine.csv"
    mine.parent.mkdir()
    mine.write_text(f"id,a,b,c\nx,{rows[0]}\ny,{rows[1]}\n")
    assert submission_warnings(mine, form) == expected


def test_the_same_bytes_as_an_earlier_submission_are_warnings(tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    folder.mkdir()
    content = b"id,label\n0,cat\n1,dog\n"
    for name in ("old.csv", "new.csv"):
        (folder / name).write_bytes(content)
    (folder / "other.csv").write_bytes(content.replace(b"dog", b"cat"))
    assert same_bytes(folder / "new.csv") == ["identical to an earlier submission: old.csv"]
    assert same_bytes(folder / "other.csv") == []


def test_other_newlines_and_byte_order_marks_are_accepted_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "submissions" / "mine.csv"
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbfid,label\r\n0,cat\r\n1,dog\r\n")
    assert submission_warnings(path, labels_format(tmp_path, 2)) == [
        "the file has a byte order mark, the sample has none",
        r"lines do not end as in the sample ('\n')",
    ]


def test_shares_are_means_of_columns_and_counts_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("id,a,b\n0,0,0\n1,0,0\n")
    cells = make_cells(read_sample(path, "id"), TASKS["multilabel"], ("a", "b"), F1)
    labels = np.array([[1, 0], [1, 1]])
    assert cells.shares(cells.columns(labels, None)) == {"a": 1.0, "b": 0.5}
    assert cells.expected_shares(labels, None, [3, 1]) == {"a": 1.0, "b": 0.25}
    path.write_text("id,tags\n0,a\n1,a\n")
    cells = make_cells(read_sample(path, "id"), TASKS["multilabel"], ("a", "b"), F1)
    assert cells.shares({"tags": ["a b", "b"]}) == {"a": 0.5, "b": pytest.approx(1.0)}
