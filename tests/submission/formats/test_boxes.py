"""Boxes of objects in the cells of a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from submission_toys import SIZES, mask_competition

from comp.core.errors import ConfigError, DataError, SubmissionError
from comp.submission import Answers, Format, check_submission
from comp.submission.formats.boxes import BoxFormat
from comp.submission.formats.object_rows import ObjectFormat
from comp.submission.gate import open_format

SAMPLE = "image_id,PredictionString\na,\nb,\n"


def opened(folder: Path, sample: str | None, one: bool = False, **more: str) -> Format:
    competition = mask_competition(folder, sample)
    if one:
        competition = replace(competition, classes=("dent",), codes=("10",))
    return open_format(replace(competition, write="boxes", **more))  # type: ignore[arg-type]


def answers(one: bool = False) -> list[Answers]:
    """a: two dents, and a rust; b: nothing."""
    mask = np.zeros((1, *SIZES["a"]), dtype=np.uint8)
    mask[0, 1:3, 2:6], mask[0, 4, 0], mask[0, 4, 7] = 1, 1, 1 if one else 2
    probs = np.full((2 if one else 3, *SIZES["a"]), 0.5, dtype=np.float32)
    probs[1, 4, 0] = 0.875
    nothing = np.zeros((1, *SIZES["b"]), dtype=np.uint8)
    return [
        Answers(("b",), nothing[None], np.zeros((1, len(probs), *SIZES["b"]), np.float32)),
        Answers(("a",), mask[None], probs[None]),
    ]


def test_boxes_are_written_with_the_likeliest_first_and_read_back(tmp_path: Path) -> None:
    file_format = opened(tmp_path, SAMPLE)
    path = tmp_path / "out.csv"
    columns, rows = file_format.write(path, answers())
    assert path.read_text().splitlines() == [
        "image_id,PredictionString",
        "a,10 0.875 0 4 1 5 10 0.5 2 1 6 3 20 0.5 7 4 8 5",
        "b,",
    ]
    assert rows == 2
    assert check_submission(path, file_format) == columns
    assert file_format.content.shares(columns) == {"dent": 0.5, "rust": 0.5}


@pytest.mark.parametrize(
    ("sample", "words", "cell"),
    [
        ("id,p\na,0.5 1 1 2 2\nb,0.5 1 1 2 2\n", "auto", "0.875 0 4 1 1 0.5 2 1 4 2 0.5 7 4 1 1"),
        (SAMPLE, "x y x2 y2 score", "0 4 1 5 0.875 2 1 6 3 0.5 7 4 8 5 0.5"),
        (None, "auto", "0.875 0 4 1 1 0.5 2 1 4 2 0.5 7 4 1 1"),
    ],
)
def test_the_words_are_those_of_the_sample_or_of_the_config(
    tmp_path: Path, sample: str | None, words: str, cell: str
) -> None:
    file_format = opened(tmp_path, sample, one=True, boxes=words)
    columns, _ = file_format.write(tmp_path / "out.csv", answers(one=True))
    assert next(iter(columns.values()))[0] == cell


def test_an_image_without_objects_says_what_all_rows_of_the_sample_say(tmp_path: Path) -> None:
    text = "id,p\na,14 1 0 0 1 1\nb,14 1 0 0 1 1\n"
    columns, _ = opened(tmp_path, text).write(tmp_path / "out.csv", answers())
    assert columns["p"][1] == "14 1 0 0 1 1"
    columns, _ = opened(tmp_path, text, empty="none").write(tmp_path / "out.csv", answers())
    assert columns["p"][1] == "none"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("10 0.5 1 1", "are not objects of 6 words (class score x y x2 y2)"),
        ("30 0.5 1 1 2 2", "name a class that is none of '10', '20'"),
        ("10 1.5 1 1 2 2", "have a score outside 0 to 1"),
        ("10 0.5 1 1 1 2", "have a box that is empty or not inside its image"),
        ("10 0.5 1 1 9 2", "have a box that is empty or not inside its image"),
        ("10 a 1 1 2 2", "hold words that are no numbers"),
    ],
)
def test_what_a_site_would_refuse_is_told(tmp_path: Path, cell: str, message: str) -> None:
    file_format = opened(tmp_path, SAMPLE)
    path = tmp_path / "out.csv"
    path.write_text(SAMPLE.replace("a,", f"a,{cell}"))
    with pytest.raises(SubmissionError) as caught:
        check_submission(path, file_format)
    assert f"1 cells {message}: a:" in str(caught.value)


def test_wrong_words_and_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"submission.boxes: 'score x y': the words"):
        opened(tmp_path, SAMPLE, boxes="score x y")
    with pytest.raises(ConfigError, match=r"names no class, and there are 2"):
        opened(tmp_path, SAMPLE, boxes="score x y w h")
    with pytest.raises(DataError, match=r"one column for the boxes is needed"):
        opened(tmp_path, "id,p,q\na,,\nb,,\n")
    with pytest.raises(SubmissionError, match="boxes have scores, which need probabilities"):
        parts = [replace(part, probs=None) for part in answers()]
        opened(tmp_path, SAMPLE).write(tmp_path / "out.csv", parts)


def test_a_table_of_masks_is_checked_as_what_the_config_writes(tmp_path: Path) -> None:
    competition = mask_competition(tmp_path, SAMPLE)
    file = tmp_path / "out.csv"
    assert isinstance(open_format(replace(competition, write="boxes"), file), BoxFormat)
    objects = replace(competition, write="objects", sample=None)
    assert isinstance(open_format(objects, file), ObjectFormat)
