import numpy as np

from comp.tasks.ranges import ranges_of


def test_ranges_lie_between_quantiles_and_each_row_is_in_one() -> None:
    numbers = np.random.default_rng(0).permutation(200).astype(float)[:, None]
    names, cells = ranges_of(numbers, ["size"])
    assert names[:2] == ("size below 20", "size from 20")
    assert cells.shape == (200, 10)
    assert cells.sum(axis=0).tolist() == [20] * 10
    assert (cells.sum(axis=1) == 1).all()
    assert set(numbers[cells[:, 1] == 1, 0]) == {float(n) for n in range(20, 40)}


def test_repeated_numbers_stay_in_one_range_and_columns_have_their_own() -> None:
    table = np.column_stack([np.r_[np.zeros(90), 1:11], np.full(100, 3.0)])
    names, cells = ranges_of(table, ["a", "b"])
    assert names == ("a below 1", "a from 1", "b all")
    assert cells.sum(axis=0).tolist() == [90, 10, 100]
    assert ranges_of(np.zeros((0, 1)), ["a"])[1].shape == (0, 1)
