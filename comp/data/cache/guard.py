"""The sums of the rows of a pack: each row is compared with its own when it is first read."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.core.checksums import SUMS
from comp.core.errors import PackError

Array = np.ndarray[Any, Any]


class Guard:
    """Compares rows of `path` with the sums that they were written with.

    `ids`     (N,) text
    `ends`    (N,) int64: where each row ends, counted from the end of the header
    `totals`  (N,) uint64: the sum of each
    `how`     the name of the sum, see `comp.core.checksums.SUMS`

    Processes that are forked share what was compared; so each row is compared once, whoever reads
    it. (A process that is spawned begins anew.)
    """

    def __init__(
        self, path: Path, ids: Sequence[str], ends: Array, totals: Array, how: str
    ) -> None:
        self.path, self.ids, self.ends, self.totals, self.how = path, ids, ends, totals, how
        self._seen = np.frombuffer(mmap.mmap(-1, max(1, len(ids))), dtype=np.uint8)

    def check(self, row: int, payload: Any) -> None:
        """Do nothing where the payload of the row is what was written. Raises PackError else."""
        if self._seen[row]:
            return
        if SUMS[self.how](payload) != int(self.totals[row]):
            raise PackError(
                f"{self.path}: the row of {self.ids[row]!r} is damaged: it is not what was written "
                "there. `comp pack --verify` makes the pack again"
            )
        self._seen[row] = 1

    def check_all(self, rows: Any, array: Array) -> None:
        """`check` of several rows of an array that holds all of them."""
        rows = np.asarray(rows)
        for row in rows[self._seen[rows] == 0].tolist():
            self.check(row, array[row])

    def __getstate__(self) -> tuple[Any, ...]:
        return self.path, self.ids, self.ends, self.totals, self.how

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]
