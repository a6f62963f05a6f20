"""How two submissions differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from comp.core.errors import SubmissionError
from comp.submission import diff_submissions


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_rows_are_joined_by_id_and_counted_by_class(tmp_path: Path) -> None:
    one = file(tmp_path, "a.csv", "id,label\n1,cat\n2,dog\n3,cat\n4,fox\n")
    two = file(tmp_path, "b.csv", "id,label\n4,fox\n3,dog\n2,dog\n1,dog\n")
    found = diff_submissions(one, two)
    assert (found.rows, found.ids) == (4, ("1", "3"))
    assert found.changes == {("label", "cat", "dog"): 2}
    assert found.numbers == {}


def test_probabilities_are_compared_as_numbers_and_zeros_and_ones_as_labels(tmp_path: Path) -> None:
    one = file(tmp_path, "a.csv", "id,p,x\n1,0.5,0\n2,0.25,1\n")
    two = file(tmp_path, "b.csv", "id,p,x\n1,0.5,1\n2,0.75,1\n")
    found = diff_submissions(one, two)
    assert found.numbers == {"p": (0.25, 0.5)}
    assert found.changes == {("x", "0", "1"): 1}
    assert found.ids == ("1", "2")


def test_other_ids_and_columns_are_refused_all_at_once(tmp_path: Path) -> None:
    one = file(tmp_path, "a.csv", "id,label\n1,cat\n2,dog\n")
    two = file(tmp_path, "b.csv", "id,label\n1,cat\n3,dog\n3,dog\n")
    with pytest.raises(SubmissionError, match=r"(?s)a.csv only: '2'.*b.csv only: '3'.*repeated in"):
        diff_submissions(one, two)
    three = file(tmp_path, "c.csv", "id,answer\n1,cat\n2,dog\n")
    with pytest.raises(SubmissionError, match="columns of one only: 'answer', 'label'"):
        diff_submissions(one, three)
