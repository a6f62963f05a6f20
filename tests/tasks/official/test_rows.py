"""Targets know which rows they are, as long as that is known."""

import numpy as np

from comp.tasks.official.rows import NumberedRows, numbered


def test_the_numbers_travel_with_every_way_of_indexing() -> None:
    target = numbered(np.array([5, 6, 7, 8]))
    for which, rows in (
        (np.array([2, 0, 2]), [2, 0, 2]),
        (np.array([True, False, False, True]), [0, 3]),
        (slice(1, 3), [1, 2]),
        ([3], [3]),
    ):
        part = target[which]
        assert isinstance(part, NumberedRows)
        assert part.rows is not None
        assert part.rows.tolist() == rows
        assert part.tolist() == [5 + row for row in rows]
    twice = target[np.array([3, 2, 1])][np.array([0, 2])]
    assert twice.rows.tolist() == [3, 1]
    table = numbered(np.arange(8).reshape(4, 2))
    assert table[np.array([1]), :].rows.tolist() == [1]
    assert table[[3, 0]][:, 1].rows.tolist() == [3, 0]
    assert table.reshape(4, 2, 1).rows.tolist() == [0, 1, 2, 3]


def test_what_is_no_longer_known_is_said_to_be() -> None:
    target = numbered(np.array([5, 6, 7, 8]))
    assert getattr(np.concatenate([target, target]), "rows", None) is None
    assert target.reshape(2, 2).rows is None
    assert target[None].rows is None
    assert target[2] == 7
