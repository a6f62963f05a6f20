"""Masks are read when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.index.masks import Marked, Masks


@dataclass
class Counting:
    number: int
    reads: list[int]

    def digest(self) -> str:
        return f"digest {self.number}"

    def objects(self) -> np.ndarray:
        return np.array([self.number])

    def read(self) -> np.ndarray:
        self.reads.append(self.number)
        return np.full((2, 3, 1), self.number, np.uint8)


def test_some_rows_keep_their_own_masks_and_nothing_is_read_early() -> None:
    reads: list[int] = []
    masks = Masks([Counting(number, reads) for number in range(5)], layers=1)
    some = masks.of([3, 1])
    assert (len(masks), len(some), some.layers) == (5, 2, 1)
    assert [some.digest(row) for row in range(2)] == ["digest 3", "digest 1"]
    assert some.objects(1).tolist() == [1]
    assert reads == []
    assert (some.read(0) == 3).all()
    assert reads == [3]


def test_a_plan_knows_a_mask_by_its_digest_only() -> None:
    mark = Marked("abc")
    assert mark.digest() == "abc"
    for unknown in (mark.read, mark.objects):
        with pytest.raises(DataError, match="a plan does not hold the masks"):
            unknown()
