"""The order of an epoch: which training rows it shows, and how often.

A sampler is a function of the target and the random numbers of the epoch. It gives each epoch the
same length, so that a schedule knows its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from comp.core import rng
from comp.core.errors import TrainError, pick
from comp.core.registry import guarded
from comp.data.loader.beside import Guests, interleave

Array = np.ndarray[Any, Any]
Sampler = Callable[[Array, float, np.random.Generator], Array]
Part = Callable[[int, int, int], Sequence[int]]


def _shuffle(target: Array, _: float, generator: np.random.Generator) -> Array:
    """Each row once."""
    return generator.permutation(len(target))


def _oversample(target: Array, strength: float, generator: np.random.Generator) -> Array:
    """Rows of rare classes several times: a class n times rarer than the most frequent one is shown
    n ** strength times as often; at 1 all classes are shown equally often."""
    return _draw(_rarity(target, strength), generator)


def _undersample(target: Array, strength: float, generator: np.random.Generator) -> Array:
    """A part of the frequent classes, another part in each epoch; at strength 1 as many rows of
    each class as of the rarest."""
    often = _rarity(target, strength)
    return _draw(often / often.max(initial=0), generator)


def _rarity(target: Array, strength: float) -> Array:
    """(n,) at least 1: how often each row is shown, relative to a row of the most frequent class.

    A row with several labels counts as its rarest one (Gupta et al. 2019, LVIS, repeat factor
    sampling); rows without a label are a class of their own.
    """
    if target.ndim == 1:
        hot = target[:, None] == np.unique(target)
    else:
        hot = np.column_stack([target > 0, ~(target > 0).any(axis=1)])
    counts = np.maximum(hot.sum(axis=0), 1)
    factors = (counts.max() / counts) ** strength
    return np.asarray((hot * factors).max(axis=1))


def _draw(often: Array, generator: np.random.Generator) -> Array:
    """Places in a random order, each about `often` times: that number rounded down or up.

    Systematic sampling: an even comb over rows sorted by how often they are shown, in random order
    among equals, so that the share of each class is right within one row.
    """
    mixed = generator.permutation(len(often))
    mixed = mixed[np.argsort(often[mixed], kind="stable")]
    ends = np.cumsum(often[mixed])
    total = round(float(ends[-1]))
    comb = (np.arange(total) + 0.5) * (ends[-1] / total)
    chosen = mixed[np.minimum(np.searchsorted(ends, comb, side="right"), len(mixed) - 1)]
    return generator.permutation(chosen)


# name -> function of the training rows' target, `train.sampler_strength` and the epoch's generator;
# it returns places among the training rows: the order of an epoch. Only `shuffle` promises each
# row once.
SAMPLERS: dict[str, Sampler] = {
    "shuffle": _shuffle,
    "balanced": _oversample,
    "undersample": _undersample,
}


def custom_sampler(name: str, function: Sampler) -> Sampler:
    """A sampler from a user's function; TrainError where it gives no places of training rows."""
    call = guarded(function, "sampler", name, TrainError)

    def sampler(target: Array, strength: float, generator: np.random.Generator) -> Array:
        places = np.asarray(call(target, strength, generator))
        if places.ndim != 1 or not len(places) or places.dtype.kind not in "iu":
            raise TrainError(
                f"sampler {name!r}: it gives {places.dtype} of shape {places.shape}, not a row of "
                "integers: places among the training rows"
            )
        if places.min() < 0 or places.max() >= len(target):
            raise TrainError(
                f"sampler {name!r}: its places go from {places.min()} to {places.max()}; there are "
                f"{len(target)} training rows, counted from 0"
            )
        return places

    return sampler


class EpochOrder:
    """The order of each epoch, cut into batches of keys (epoch, position, row).

    As a torch sampler it gives the batches of `chosen`: an epoch, and the step to begin at.
    guests: rows that are shown between those that the sampler chose. part: which images of a batch
    are made here: from (epoch, step, images of the batch) their places in it; None: all.
    """

    def __init__(
        self,
        rows: Array,
        target: Array,
        seed: int,
        fold: int,
        batch_size: int,
        sampler: str,
        strength: float,
        guests: Sequence[Guests] = (),
        part: Part | None = None,
    ) -> None:
        self.part = part
        self.rows = rows
        self.guests = guests
        self.target = target
        self.seed = seed
        self.fold = fold
        self.batch_size = batch_size
        self.sampler = pick(SAMPLERS, sampler, "sampler (train.sampler)")
        self.strength = strength
        self.length = len(self._order(0))
        self.chosen = (0, 0)

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        whole, rest = divmod(self.length, self.batch_size)
        return whole + (rest > 1)

    def _order(self, epoch: int) -> Array:
        """The rows of an epoch, in its order."""
        draw = rng.generator(self.seed, "order", self.fold, epoch)
        own = np.asarray(self.rows[self.sampler(self.target[self.rows], self.strength, draw)])
        if not self.guests:
            return own
        return interleave(own, self.guests, rng.generator(self.seed, "guests", self.fold, epoch))

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        return self.keys(*self.chosen)

    def keys(self, epoch: int, first_step: int) -> Iterator[list[tuple[int, int, int]]]:
        """The keys of each batch of `epoch` from `first_step` on."""
        rows = self._order(epoch).tolist()
        for start in range(first_step * self.batch_size, len(rows), self.batch_size):
            batch = rows[start : start + self.batch_size]
            if len(batch) > 1 or self.batch_size == 1:
                yield self._here(epoch, start, batch)

    def size(self, step: int) -> int:
        """How many images the batch of a step has."""
        return min(self.batch_size, self.length - step * self.batch_size)

    def _here(self, epoch: int, start: int, batch: list[int]) -> list[tuple[int, int, int]]:
        """The keys of the images of a batch that are made here."""
        places: Sequence[int] = range(len(batch))
        if self.part is not None:
            places = self.part(epoch, start // self.batch_size, len(batch))
        return [(epoch, start + place, batch[place]) for place in places]
