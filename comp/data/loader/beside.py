"""Images that are only trained on, beside those of the index: of another data set, or unlabelled.

They are rows after those of the index, like the copies of `comp.data.loader.oversample`: no plan,
validation part or prediction contains one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import TrainError
from comp.data.cache.store import Images, from_state, gather, plain, to_state

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Beside:
    """Some of E images, with their targets.

    `images`  (E, S, S, C), of the size of the index's images
    `rows`    (e,) those that are shown
    `target`  (e,) or (e, C) as that of the index; or soft: (e, C) float32, probabilities of the
              columns that the network has
    `share`   of each batch that they make up; None: each is shown once per epoch
    """

    images: Images
    rows: Array
    target: Array
    share: float | None = None

    def spread(self, target: Array) -> Array:
        """(E, ...): targets of the rows at their places; zeros for images that are not shown."""
        out = np.zeros((len(self.images), *target.shape[1:]), dtype=target.dtype)
        out[self.rows] = target
        return out


class Joined:
    """The images of several stores, one after another."""

    def __init__(self, parts: Sequence[Images]) -> None:
        self.parts = list(parts)
        self._plain = [plain(part) for part in parts]
        self.ends = np.cumsum([len(part) for part in parts]).tolist()
        self.shape = (self.ends[-1], *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, row: int) -> Array:
        part = bisect_right(self.ends, int(row))
        return np.asarray(self._plain[part][int(row) - (self.ends[part - 1] if part else 0)])

    def take(self, rows: Array) -> Array:
        """(n, S, S, C) of several rows."""
        rows = np.asarray(rows)
        out = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        owner = np.searchsorted(self.ends, rows, side="right")
        for part in np.unique(owner):
            places = np.flatnonzero(owner == part)
            start = self.ends[part - 1] if part else 0
            out[places] = gather(self.parts[part], rows[places] - start)
        return out

    def __getstate__(self) -> list[Any]:
        return [to_state(part) for part in self.parts]

    def __setstate__(self, state: list[Any]) -> None:
        self.__init__([from_state(part) for part in state])  # type: ignore[misc]


@dataclass(frozen=True)
class Guests:
    """Rows that an epoch shows beside its own.

    `rows`   (e,) row numbers
    `share`  see `Beside`
    """

    rows: Array
    share: float | None


def counts(own: int, guests: Sequence[Guests]) -> list[int]:
    """How many images of each an epoch of `own` images of the index shows.

    Raises TrainError where the shares leave nothing of a batch.
    """
    total = sum(guest.share or 0 for guest in guests)
    if total >= 1:
        raise TrainError(
            f"the shares of extra and pseudo-labelled images sum to {total:g}; they must be below 1"
        )
    return [
        len(guest.rows) if guest.share is None else max(1, round(own * guest.share / (1 - total)))
        for guest in guests
    ]


def interleave(own: Array, guests: Sequence[Guests], draw: np.random.Generator) -> Array:
    """The rows `own` of an epoch, in their order, with guests evenly between them.

    Each batch then has the share that the epoch has, within one image of each kind. Guests come in
    a random order, all once before one comes again.
    """
    rows, places = [own], [(np.arange(len(own)) + 0.5) / max(1, len(own))]
    for guest, count in zip(guests, counts(len(own), guests), strict=True):
        rounds = -(-count // len(guest.rows)) if len(guest.rows) else 0
        order = [draw.permutation(guest.rows) for _ in range(rounds)]
        rows.append(np.concatenate([np.empty(0, np.int64), *order])[:count])
        places.append((np.arange(len(rows[-1])) + 0.5) / max(1, len(rows[-1])))
    return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")]
