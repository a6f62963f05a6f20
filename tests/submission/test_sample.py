"""The sample submission is read as it lies there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from submission_toys import F1, check, sample_of, table_format

from comp.config.schema import DataConfig
from comp.core.errors import DataError, SubmissionError
from comp.submission.gate import check_submission
from comp.submission.sample import read_sample, render
from comp.tasks.kinds import TASKS


def test_a_sample_is_read_as_text_in_its_order(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "label,id\n0,007\n1,NA\n")
    assert (sample.id_column, sample.answers, sample.ids) == ("id", ("label",), ("007", "NA"))
    assert sample.texts == {"label": frozenset({"0", "1"})}


def test_without_the_id_column_the_first_column_holds_the_ids(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "ImageId,answer\na.jpg,0\n")
    assert (sample.id_column, sample.ids) == ("ImageId", ("a.jpg",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,x\n1,0\n2,0\n1,0\n", "ids repeated in column 'id': '1'"),
        ("id,x\n", "no rows"),
        ("id\n1\n", "only one column, 'id'"),
    ],
)
def test_what_is_no_sample_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sample_of(tmp_path, text)


CLASSES = ("cat", "dog")


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"id,label\n1,cat\n2,cat\n", b"id,label\n1,dog\n2,cat\n"),
        (b"id, label\n 1, cat\n 2, cat\n", b"id, label\n 1,dog\n 2,cat\n"),
        (b",id,label\n0,1,cat\n1,2,cat\n", b",id,label\n0,1,dog\n1,2,cat\n"),
        (b"id,label,\n1,cat,\n2,cat,\n", b"id,label,\n1,dog,\n2,cat,\n"),
        (
            b"id,label,Usage\n1,cat,Public\n2,cat,Private\n",
            b"id,label,Usage\n1,dog,Public\n2,cat,Private\n",
        ),
        (b"id,Usage,answer\n1,Public,\n2,,\n", b"id,Usage,answer\n1,Public,dog\n2,,cat\n"),
        (b"id,path,label\n1,x,cat\n2,y,cat\n", b"id,path,label\n1,x,dog\n2,y,cat\n"),
        (b"id,cat,dog,Usage\n1,0,0,a\n2,0,0,b\n", b"id,cat,dog,Usage\n1,0,1,a\n2,1,0,b\n"),
        (b"id,label\r\r\n\r\r\n1,cat\r\n2,cat", b"id,label\r\n1,dog\r\n2,cat"),
        (b"id,label\r1,cat\r2,cat\r", b"id,label\r1,dog\r2,cat\r"),
        (b"1,cat\n2,cat\n", b"1,dog\n2,cat\n"),
        ("id,label\n1,cat\n2,cat\n".encode("utf-16"), "id,label\n1,dog\n2,cat\n".encode("utf-16")),
        (b"id,Usage\n1,Public\n2,Public\n", b"id,Usage\n1,dog\n2,cat\n"),
    ],
)
def test_a_submission_is_written_as_its_sample_and_passes_the_gate(
    tmp_path: Path, content: bytes, written: bytes
) -> None:
    path, out = tmp_path / "sample.csv", tmp_path / "out.csv"
    path.write_bytes(content)
    data = DataConfig(root=str(tmp_path), target=("label",), columns=("id", "label"))
    sample = read_sample(path, "id", data, CLASSES)
    assert sample.ids == ("1", "2")
    file_format = table_format(sample, TASKS["multiclass"], CLASSES, F1, write="label")
    answers = file_format.columns(["2", "1"], np.array([0, 1]), None)
    out.write_bytes(render(sample, answers))
    assert out.read_bytes() == written
    columns = check_submission(out, file_format)
    assert file_format.check(out, columns) == []


def test_other_cells_in_a_column_that_is_copied_are_refused(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,label,Usage\n1,cat,Public\n")
    file_format = table_format(sample, TASKS["multiclass"], CLASSES, F1)
    with pytest.raises(SubmissionError, match="column 'Usage' is not as in the sample"):
        check(tmp_path, b"id,label,Usage\n1,cat,Private\n", file_format)
    with pytest.raises(SubmissionError, match="Required column 'Usage'"):
        check(tmp_path, b"id,label\n1,cat\n", file_format)
