"""How many cores there are, and work that threads do a bounded way ahead of its consumer."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

MOST = 16  # threads that decode images: more only wait for the disk
_among = 1


def share_cores(among: int) -> None:
    """Let `cores` give this process its share where so many work side by side."""
    global _among
    _among = among


def cores(most: int = MOST) -> int:
    """The processor cores that this process may use, `most` at most; see `share_cores`."""
    allowed = getattr(os, "sched_getaffinity", None)
    found = len(allowed(0)) if allowed else os.cpu_count() or 1
    return min(most, max(1, found // _among))


def read_ahead(
    function: Callable[[S], T], items: Iterable[S], threads: int, *, waiting: int | None = None
) -> Generator[T, None, None]:
    """`function` of each item, in order, computed by threads that run a bounded way ahead.

    waiting: how many items may be in work or finished but not yet consumed; None: twice the
    threads. An error of `function` is raised where its result would have come.
    """
    most = 2 * threads if waiting is None else waiting
    pool = ThreadPoolExecutor(threads)
    coming: deque[Future[T]] = deque()
    try:
        for item in items:
            coming.append(pool.submit(function, item))
            if len(coming) > most:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
