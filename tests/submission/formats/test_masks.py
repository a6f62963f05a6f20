"""The masks that a submission must hold: which rows, which classes, as run lengths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from submission_toys import MASK_SAMPLE, MASKS, SIZES, mask_answers, mask_competition, numbered

from comp.core.errors import SubmissionError
from comp.data.index.sample_rows import SampleRows
from comp.data.masks import rle
from comp.submission import Answers
from comp.submission.formats.masks import Found, mask_rows, own_rows

ONE_CLASS = replace(MASKS, rows=SampleRows(("a", "b"), (None, None)), codes=("1",), classes=("x",))


def test_a_mask_has_a_layer_per_class_whether_it_holds_numbers_or_layers() -> None:
    numbers = np.array([[[0, 1, 2], [2, 2, 0]]], np.uint8)
    layers = np.stack([numbers[0] == 1, numbers[0] == 2]).astype(np.uint8)
    for mask in (numbers, layers):
        found = {code: layer.tolist() for code, layer in MASKS.layers(mask)}
        assert found == {
            "10": [[False, True, False], [False, False, False]],
            "20": [[False, False, True], [True, True, False]],
        }
    assert [layer.sum() for _, layer in ONE_CLASS.layers(numbers == 1)] == [1]


@pytest.mark.parametrize("order", ["columns", "rows"])
def test_run_lengths_of_every_image_and_class_are_kept_as_images_pass(order: str) -> None:
    found: Found = {}
    passed = list(replace(MASKS, order=order).recorded(mask_answers("ba"), found))
    assert [name for name, _, _ in passed] == ["b", "a"]
    assert passed[0][1].tolist() == [numbered("b").tolist()]
    assert passed[0][2] is None
    assert set(found) == {("a", "10"), ("a", "20"), ("b", "10"), ("b", "20")}
    for (name, code), text in found.items():
        own = numbered(name) == (1 if code == "10" else 2)
        assert (rle.decode(text, *SIZES[name], order) == own).all()


def test_probabilities_pass_with_their_image() -> None:
    probs = np.random.default_rng(0).random((1, 3, *SIZES["b"]))
    answers = [mask_answers("a")[0], Answers(("b",), numbered("b")[None, None], probs)]
    passed = list(MASKS.recorded(answers, {}))
    assert passed[1][2] is not None
    assert passed[1][2].tolist() == probs[0].tolist()


def test_images_of_the_sample_without_an_answer_are_named() -> None:
    with pytest.raises(SubmissionError, match="no answer for 1 images: 'b'"):
        list(MASKS.recorded(mask_answers("a"), {}))


def test_run_lengths_that_do_not_give_the_mask_back_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rle, "encode", lambda layer, order: "1 1")
    with pytest.raises(SubmissionError, match="b: its run lengths do not give its mask back"):
        list(MASKS.recorded(mask_answers("b"), {}))


def test_the_answer_column_has_the_rows_of_the_sample_and_nothing_for_an_empty_mask() -> None:
    found = {("a", "20"): "3 1", ("b", "10"): "1 2", ("z", "10"): "9 9"}
    assert MASKS.column(MASK_SAMPLE, found) == {"runs": ("", "3 1", "1 2", "")}
    assert ONE_CLASS.column(MASK_SAMPLE, {("b", "1"): "5 1"}) == {"runs": ("", "5 1")}


@pytest.mark.parametrize(
    ("cells", "images"),
    [
        (("1 2", "3 1", "", "1 9"), ""),
        (("1 2", "2 1", "5 1", "1 4"), "1 images give a pixel to two classes: 'a'"),
        (("1 2 7 3", "4 1 9 1", "1 1", "1 1"), "2 images give a pixel to two classes: 'a', 'b'"),
    ],
)
def test_a_pixel_of_two_classes_is_a_warning_where_it_should_have_one(
    cells: tuple[str, ...], images: str
) -> None:
    assert MASKS.overlaps({"runs": cells}) == ([images] if images else [])
    assert replace(MASKS, exclusive=False).overlaps({"runs": cells}) == []


def test_shares_are_of_images_and_named_as_the_config_names_the_classes() -> None:
    assert MASKS.shares({"runs": ("1 2", "", "3 4", " ")}) == {"dent": 1.0, "rust": 0.0}
    assert ONE_CLASS.shares({"runs": ("1 2", "")}) == {"x": 0.5}


def test_expected_shares_are_weighted_by_image() -> None:
    there = np.array([[True, False], [True, True]])
    assert MASKS.expected_shares(there, None) == {"dent": 1.0, "rust": 0.5}
    assert MASKS.expected_shares(there, None, [3, 1]) == {"dent": 1.0, "rust": 0.25}


def test_without_a_sample_every_test_image_has_a_row_per_class(tmp_path: Path) -> None:
    sample, content = own_rows(mask_competition(tmp_path, None, rle_order="rows"))
    assert sample.columns == ("ImageId_ClassId", "EncodedPixels")
    assert sample.ids == ("a_10", "a_20", "b_10", "b_20")
    assert content.rows == SampleRows(("a", "a", "b", "b"), ("10", "20", "10", "20"), joined=True)
    assert content.order == "rows"


def test_sizes_are_those_of_the_image_files(tmp_path: Path) -> None:
    content = mask_rows(mask_competition(tmp_path, None), MASKS.rows)
    assert {name: content.size(name) for name in SIZES} == SIZES
    assert (content.codes, content.classes, content.exclusive) == (
        ("10", "20"), ("dent", "rust"), True,
    )  # fmt: skip
