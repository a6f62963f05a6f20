"""Work that threads do ahead of who asks for it."""

from __future__ import annotations

import threading

import pytest

from comp.core import parallel
from comp.core.parallel import cores, read_ahead


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda _: set(range(40)), raising=False)
    assert (cores(), cores(3), cores(most=64)) == (16, 3, 40)
    monkeypatch.delattr(parallel.os, "sched_getaffinity")
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: 5)
    assert cores() == 5
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: None)
    assert cores() == 1


def test_results_come_in_the_order_of_the_items() -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            first_may_end.wait()
        else:
            first_may_end.set()
        return item * item

    assert [*read_ahead(work, range(20), threads=2)] == [n * n for n in range(20)]
    assert [*read_ahead(work, [], threads=2)] == []


@pytest.mark.parametrize(("waiting", "begun"), [(None, 5), (0, 1), (3, 4)])
def test_no_more_items_are_taken_than_may_wait(waiting: int | None, begun: int) -> None:
    taken: list[int] = []

    def items():  # type: ignore[no-untyped-def]
        for number in range(100):
            taken.append(number)
            yield number

    results = read_ahead(lambda n: n, items(), threads=2, waiting=waiting)
    assert next(results) == 0
    assert len(taken) == begun
    results.close()  # type: ignore[attr-defined]
    assert len(taken) == begun


def test_an_error_is_raised_where_its_result_would_have_come() -> None:
    results = read_ahead(lambda n: 6 // (2 - n), range(5), threads=2)
    assert [next(results), next(results)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_work_ahead_is_bounded() -> None:
    begun = []
    ahead = read_ahead(lambda item: item, (begun.append(n) or n for n in range(100)), 2)
    assert next(ahead) == 0
    assert len(begun) <= 5
    assert list(ahead) == list(range(1, 100))


def test_processes_that_share_a_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda _: range(8), raising=False)
    try:
        parallel.share_cores(3)
        assert (parallel.cores(), parallel.cores(1)) == (2, 1)
        parallel.share_cores(20)
        assert parallel.cores() == 1
    finally:
        parallel.share_cores(1)
    assert parallel.cores() == 8
