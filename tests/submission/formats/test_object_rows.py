"""A row for each object of an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from submission_toys import SIZES, mask_competition

from comp.core.errors import SubmissionError
from comp.submission import Answers, Format, check_submission
from comp.submission.gate import open_format


def opened(folder: Path, sample: str | None, one: bool = True, **more: str) -> Format:
    competition = mask_competition(folder, sample)
    if one:
        competition = replace(competition, classes=("dent",), codes=("10",))
    return open_format(replace(competition, write="objects", **more))  # type: ignore[arg-type]


def answers(second: int = 1) -> list[Answers]:
    """a: an object of three pixels in a column and one of a pixel, the likelier; b: nothing."""
    mask = np.zeros((1, *SIZES["a"]), dtype=np.uint8)
    mask[0, 0:3, 0], mask[0, 4, 7] = 1, second
    probs = np.full((3, *SIZES["a"]), 0.25, dtype=np.float32)
    probs[1:, 4, 7] = 0.75
    nothing = np.zeros((1, *SIZES["b"]), dtype=np.uint8)
    probs_b = np.zeros((1, 3, *SIZES["b"]), dtype=np.float32)
    if second == 1:
        probs, probs_b = probs[:2], probs_b[:, :2]
    return [Answers(("b",), nothing[None], probs_b), Answers(("a",), mask[None], probs[None])]


@pytest.mark.parametrize(
    ("sample", "lines"),
    [
        ("id,runs\na,\nb,\n", ["a,40 1", "a,1 3", "b,"]),
        (None, ["a,40 1", "a,1 3", "b,"]),
        ("id,number,runs\na,1,\nb,1,\n", ["a,1,40 1", "a,2,1 3", "b,1,"]),
        ("id,runs\na_1,\nb_1,\n", ["a_1,40 1", "a_2,1 3", "b_1,"]),
    ],
)
def test_an_image_has_as_many_rows_as_objects_and_at_least_one(
    tmp_path: Path, sample: str | None, lines: list[str]
) -> None:
    file_format = opened(tmp_path, sample)
    path = tmp_path / "out.csv"
    columns, rows = file_format.write(path, answers())
    assert path.read_text().splitlines()[1:] == lines
    assert rows == 3
    assert check_submission(path, file_format) == columns
    assert next(iter(columns.values())) == ("1 3 40 1", "")
    assert file_format.content.shares(columns) == {"dent": 0.5}


def test_a_column_of_classes_says_which_class_an_object_has(tmp_path: Path) -> None:
    sample = "id,ClassId,runs\na,10,\na,20,\nb,10,\nb,20,\n"
    file_format = opened(tmp_path, sample, one=False, empty="-1")
    path = tmp_path / "out.csv"
    columns, _ = file_format.write(path, answers(second=2))
    assert path.read_text().splitlines()[1:] == ["a,20,40 1", "a,10,1 3", "b,10,-1"]
    assert check_submission(path, file_format) == columns
    with pytest.raises(SubmissionError, match="its rows name no class, and there are 2"):
        opened(tmp_path, "id,runs\na,\nb,\n", one=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,runs\na,1 3\n", "no row for 1 images: 'b'"),
        ("id,runs\na,1 3\nb,\nc,1 1\n", "rows of 1 unknown images: 'c'"),
        ("id,runs\na,1 3\na,3 2\nb,\n", "1 cells overlap another object of their class: a: '3 2'"),
        ("id,runs\na,1 300\nb,\n", "1 cells are not run lengths of their image"),
        ("id,masks\na,1 3\nb,\n", "its columns are 'id', 'masks', not 'id', 'runs'"),
    ],
)
def test_what_a_site_would_refuse_is_told(tmp_path: Path, text: str, message: str) -> None:
    file_format = opened(tmp_path, "id,runs\na,\nb,\n")
    path = tmp_path / "out.csv"
    path.write_text(text)
    with pytest.raises(SubmissionError) as caught:
        check_submission(path, file_format)
    assert message in str(caught.value)
