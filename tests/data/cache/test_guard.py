"""The sums of rows: compared once, for all processes of one family."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from comp.core import checksums
from comp.core.errors import PackError
from comp.data.cache.guard import Guard

ROWS = np.arange(4 * 24, dtype=np.uint8).reshape(4, 24)


def make_guard(how: str = "places") -> Guard:
    totals = np.array([checksums.SUMS[how](row) for row in ROWS], dtype=np.uint64)
    return Guard(Path("x.npy"), ("a", "b", "c", "d"), totals, totals, how)


@pytest.mark.parametrize("how", ["words", "places"])
def test_a_row_is_compared_once(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    guard, summed, real = make_guard(how), [], checksums.SUMS[how]
    monkeypatch.setitem(checksums.SUMS, how, lambda row: summed.append(len(row)) or real(row))
    for _ in range(3):
        guard.check(1, ROWS[1])
        guard.check_all([0, 1, 3, 3], ROWS)
    assert len(summed) == 3


def test_a_row_that_was_found_damaged_is_found_again() -> None:
    guard = make_guard()
    for _ in range(2):
        with pytest.raises(PackError, match="the row of 'c' is damaged"):
            guard.check(2, ROWS[1])
    guard.check(2, ROWS[2])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_what_a_forked_worker_compared_is_not_compared_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard = make_guard()
    worker = multiprocessing.get_context("fork").Process(target=guard.check, args=(2, ROWS[2]))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    monkeypatch.setitem(checksums.SUMS, "places", lambda row: pytest.fail("compared again"))
    guard.check(2, ROWS[2])
