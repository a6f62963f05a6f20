import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.masks import rle

MASK = np.array([[0, 1, 1], [1, 1, 0]], dtype=bool)


def test_pixels_are_counted_down_the_columns_from_one() -> None:
    assert rle.encode(MASK) == "2 4"


def test_rows_may_be_counted_along() -> None:
    assert rle.encode(MASK, "rows") == "2 4"
    assert rle.encode(np.array([[1, 0], [1, 0]]), "rows") == "1 1 3 1"
    assert rle.encode(np.array([[1, 0], [1, 0]])) == "1 2"


@pytest.mark.parametrize("order", ["columns", "rows"])
def test_what_was_written_is_read_again(order: str) -> None:
    draw = np.random.default_rng(0)
    for density in (0.0, 0.1, 0.5, 0.9, 1.0):
        mask = draw.random((7, 11)) < density
        assert (rle.decode(rle.encode(mask, order), 7, 11, order) == mask).all()


def test_no_text_is_an_empty_mask_and_a_full_one_is_one_run() -> None:
    assert rle.encode(np.zeros((2, 3))) == ""
    assert not rle.decode(" ", 2, 3).any()
    assert rle.encode(np.ones((2, 3))) == "1 6"


def test_runs_may_touch() -> None:
    assert rle.decode("1 2 3 1", 2, 2).sum() == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", "run lengths are pairs, these are 3 numbers: '1 2 3'"),
        ("1 x", "not run lengths: '1 x'"),
        ("1.0 2", "not run lengths: '1.0 2'"),
        ("0 2", "starts and lengths are at least 1: '0 2'"),
        ("1 0", "starts and lengths are at least 1: '1 0'"),
        ("5 3", "a run ends at pixel 7 of an image of 6: '5 3'"),
        ("1 3 3 1", "runs overlap or are out of order: '1 3 3 1'"),
        ("4 1 1 1", "runs overlap or are out of order: '4 1 1 1'"),
        ("99999999999999999999 1", "not run lengths: '99999999999999999999 1'"),
        ("2 9223372036854775807", "a run ends at pixel"),
    ],
)
def test_what_is_no_mask_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        rle.decode(text, 2, 3)
    assert str(caught.value).startswith(message)


def test_a_long_text_is_shown_by_its_beginning() -> None:
    with pytest.raises(DataError) as caught:
        rle.decode("7 " * 101, 2, 3)
    assert "101 numbers: '7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7..." in str(caught.value)


@pytest.mark.parametrize("cell", ["", " ", "-1", "-", "NaN", "None", "[]", "EMPTY", "0", "1 0"])
def test_a_cell_may_say_that_there_is_no_mask(cell: str) -> None:
    assert rle.is_empty(cell)
    assert not rle.is_empty(f"{cell} 7 3")
