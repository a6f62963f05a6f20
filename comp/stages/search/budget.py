"""What a span of time buys: epochs, image size, how many trials of which length.

All numbers here follow from a measured speed; nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

VERIFIED = 3  # folds on which the config that was found is compared with the given one
_PREDICT = 1.15  # time of a fold with its predictions, over that of its training and validation
_SHARES = (1 / 9, 1 / 3, 1.0)  # time of a trial's rounds, over that of a whole fold
_LEAST_EPOCHS = 2


@dataclass(frozen=True)
class Speed:
    """Images per second of a config on this machine, as measured.

    `train`  one pass of training, augmentation included
    `valid`  one pass of validation
    `start`  seconds from a call to the first update
    """

    train: float
    valid: float
    start: float

    def epoch(self, rows: tuple[int, int]) -> float:
        """Seconds of an epoch with so many training and validation rows."""
        return rows[0] / self.train + rows[1] / self.valid

    def at(self, ratio: float) -> Speed:
        """The speed at a side of the image that is `ratio` times as long."""
        return Speed(self.train / ratio**2, self.valid / ratio**2, self.start)


@dataclass(frozen=True)
class Round:
    """How one round of a trial is trained: the share of the rows, and the epochs."""

    share: float
    epochs: int


def epochs_in(seconds: float, speed: Speed, rows: tuple[int, int]) -> int:
    """How many epochs of one fold, its predictions included, fit into `seconds`; at least 1."""
    left = seconds / _PREDICT - speed.start
    return max(1, int(left / speed.epoch(rows)))


def fold_seconds(epochs: int, speed: Speed, rows: tuple[int, int]) -> float:
    """Seconds of one fold of so many epochs, its predictions included."""
    return _PREDICT * (speed.start + epochs * speed.epoch(rows))


def rounds_in(seconds: float, speed: Speed, rows: tuple[int, int]) -> tuple[Round, ...]:
    """The rounds of a trial, shortest first; the last is a whole fold that takes `seconds`.

    A short round takes part of the rows and part of the epochs, so that even the shortest has two
    epochs where that is possible: the learning rate has to rise and to fall.
    """
    found = []
    for part in _SHARES:
        share = part**0.5
        epochs = epochs_in(seconds * part / share, speed, rows)
        while epochs < _LEAST_EPOCHS and share > part:
            share = max(part, share / 1.5)
            epochs = epochs_in(seconds * part / share, speed, rows)
        found.append(Round(share, epochs))
    return tuple(found)


def size_for(
    sizes: tuple[int, ...], seconds: float, speed: Speed, rows: tuple[int, int], epochs: int
) -> int:
    """The largest of `sizes` (rising; the speed is that of the last) at which a fold of `epochs`
    fits into `seconds`; the smallest where none does."""
    for size in reversed(sizes):
        if epochs_in(seconds, speed.at(size / sizes[-1]), rows) >= epochs:
            return size
    return sizes[0]
