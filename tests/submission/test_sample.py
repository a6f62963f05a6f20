"""The sample submission is read as it lies there."""

from __future__ import annotations

from pathlib import Path

import pytest
from submission_toys import sample_of

from comp.core.errors import DataError


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
