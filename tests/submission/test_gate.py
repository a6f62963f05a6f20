"""What a site would refuse is refused here, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from submission_toys import AUC, BINARY, F1, check, letters, sample_of, table_format

from comp.core.errors import SubmissionError
from comp.submission import check_submission

FAULTS = [
    ("id,c,a\n007,0,0\n003,0,0\n", ["Required column 'b' could not be found"]),
    ("id,c,a,b,x\n007,0,0,0,0\n003,0,0,0,0\n", ["Unexpected Column: 'x'"]),
    ("id,c,a,B\n007,0,0,0\n003,0,0,0\n", ["Required column 'b'", "Unexpected Column: 'B'"]),
    ("id,a,b,c\n007,0,0,0\n003,0,0,0\n", ["columns in another order"]),
    ("id,c,a,b,b\n007,0,0,0,0\n003,0,0,0,0\n", ["column 'b' is there twice"]),
    ("id,c,a,b\n007,0,0,0\n", ["must have 2 rows; it has 1", "1 ids missing: '003'"]),
    ("id,c,a,b\n007,0,0,0\n003,0,0,0\n9,0,0,0\n", ["2 rows; it has 3", "not in the sample: '9'"]),
    ("id,c,a,b\n007,0,0,0\n007,0,0,0\n", ["1 ids repeated: '007'", "1 ids missing: '003'"]),
    ("id,c,a,b\n7,0,0,0\n3,0,0,0\n", ["2 ids missing: '007', '003'", "sample: '7', '3'"]),
    ("id,c,a,b\n003,0,0,0\n007,0,0,0\n", ["2 rows are not in the order of the sample"]),
    ("id,c,a,b\n007,0,0\n003,0,0,0\n", ["1 rows without 4 cells: rows 2"]),
    ("id,c,a,b\n007,,NaN,0\n003,0,0,0\n", ["2 cells are empty or NaN: 007, c: ''; 007, a: 'NaN'"]),
    ("id,c,a,b\n007,1.0,0,0\n003,0,0,2\n", ["2 cells are not a label ('0', '1'): 007, c: '1.0'"]),
    ("", ["Required column 'id' could not be found", "must have 2 rows; it has 0"]),
]


@pytest.mark.parametrize(("text", "complaints"), FAULTS)
def test_what_would_be_refused_is_listed_all_at_once(
    tmp_path: Path, text: str, complaints: list[str]
) -> None:
    form = letters(tmp_path)
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(SubmissionError, match=r"mine.csv: would be refused") as caught:
        check_submission(path, form)
    assert [part for part in complaints if part not in str(caught.value)] == []
    assert len(str(caught.value).splitlines()) == 1 + len(complaints) or not text


def test_probabilities_that_are_none_are_named(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{i},0\n" for i in range(8)))
    form = table_format(sample, BINARY, ("0", "1"), AUC)
    cells = ["nan", "1.5", "-0.1", "x", "inf", "", "1e-9", "1"]
    content = "id,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    with pytest.raises(SubmissionError) as caught:
        check(tmp_path, content.encode(), form)
    assert str(caught.value).splitlines()[1:] == [
        "  - 2 cells are empty or NaN: 0, y: 'nan'; 5, y: ''",
        "  - 3 cells are outside 0 to 1: 1, y: '1.5'; 2, y: '-0.1'; 4, y: 'inf'",
        "  - 1 cells are not a number: 3, y: 'x'",
    ]


def test_only_the_first_five_offenders_are_shown(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "id,y\n" + "".join(f"{i},0\n" for i in range(9)))
    form = table_format(sample, BINARY, ("0", "1"), F1)
    content = b"id,y\n" + b"".join(b"%d,2\n" % i for i in range(9))
    with pytest.raises(SubmissionError, match=r"9 cells are not a label.*4, y: '2'; and 4 more"):
        check(tmp_path, content, form)
