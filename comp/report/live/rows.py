"""A fold in training as it is drawn, whether it is told by the training or read from its files."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from comp.report.run.headline import duration
from comp.train.live.beat import Beat

WORKING = ("training", "validation")


@dataclass(frozen=True)
class Picture:
    """A picture in the folder of a fold: its name, when it changed (ns), words for it."""

    name: str
    stamp: int
    words: str


@dataclass(frozen=True)
class LiveFold:
    """One fold, or a refit.

    `name`      of the fold
    `state`     waiting, training, validation, stopped (begun, and nobody works on it), done or
                damaged
    `epochs`    finished ones, of `of`; `step` updates of `steps` are made in the next one
    `history`   column -> its values, one per finished epoch
    `best`      the best score, in epoch `best_epoch`, counted from 1
    `loss`      of the epoch at work; `lr` now; `speed` in training images per second
    `left`      seconds until its last epoch ends, if somebody worked on it
    `memory, device_memory, device_total`  in bytes, see `Beat`
    `held`      the process that works on it
    `note`      what is wrong with its files
    `picture`   the newest one that it wrote
    """

    name: str
    state: str = "waiting"
    epochs: int = 0
    of: int = 0
    step: int = 0
    steps: int = 0
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int | None = None
    loss: float | None = None
    lr: float | None = None
    speed: float | None = None
    epoch_seconds: float | None = None
    left: float | None = None
    memory: int | None = None
    device_memory: int | None = None
    device_total: int | None = None
    held: str | None = None
    note: str | None = None
    picture: Picture | None = None

    @property
    def share(self) -> float:
        """The share of its epochs that is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        part = min(1.0, self.step / self.steps) if self.steps else 0.0
        return min(1.0, (self.epochs + part) / self.of) if self.of else 0.0

    @property
    def works(self) -> bool:
        """Whether somebody works on it."""
        return self.state in WORKING

    @property
    def left_text(self) -> str:
        """The time that is left, in words; its state where nobody works on it."""
        if not self.works:
            return self.state
        return "–" if self.left is None else duration(self.left)

    def last(self, column: str) -> float | None:
        """The newest value of a column of the history that is a number."""
        values = [value for value in self.history.get(column, ()) if math.isfinite(value)]
        return values[-1] if values else None


@dataclass(frozen=True)
class LiveRun:
    """A run with its folds and refits, as far as its files say.

    `settings`  what it is, in a line; `note` what keeps it from being read, or that it has not
                begun; `busy`: whether who draws it works on it, between two folds too
    """

    name: str
    metric: str
    folds: tuple[LiveFold, ...]
    settings: str = ""
    note: str | None = None
    busy: bool = False


def with_beat(fold: LiveFold, beat: Beat) -> LiveFold:
    """The fold with what it says of itself. A beat that is older than the history says nothing of
    the epoch at work."""
    behind = beat.epoch <= fold.epochs and beat.phase != "finished"
    return replace(
        fold,
        of=max(beat.epochs, fold.of),
        step=0 if behind else beat.step,
        steps=beat.steps,
        loss=fold.loss if behind or beat.loss is None else beat.loss,
        lr=fold.lr if beat.lr is None else beat.lr,
        speed=beat.speed or fold.speed,
        epoch_seconds=beat.epoch_seconds or fold.epoch_seconds,
        left=beat.left,
        memory=beat.memory,
        device_memory=beat.device_memory,
        device_total=beat.device_total,
    )


def with_history(fold: LiveFold, rows: Sequence[Mapping[str, float]], metric: str) -> LiveFold:
    """The fold with the rows of its history; the best one is marked there."""
    if not rows:
        return fold
    columns = {name: [row.get(name, math.nan) for row in rows] for name in rows[-1]}
    marked = [number for number, row in enumerate(rows) if row.get("best") == 1]
    best = columns.get(metric, [])[marked[-1]] if marked and metric in columns else None
    return replace(
        fold,
        epochs=len(rows),
        history={name: values for name, values in columns.items() if name != "best"},
        best=best if best is not None and math.isfinite(best) else None,
        best_epoch=marked[-1] + 1 if marked else None,
        lr=columns.get("lr", [math.nan])[-1],
    )


def seconds_left(folds: Sequence[LiveFold]) -> float | None:
    """An estimate of the time until all are done: those that wait begin when one at work ends.

    A fold that was not begun takes as long per epoch as the slowest that is known. None where
    nothing is known yet.
    """
    known = [fold.epoch_seconds for fold in folds if fold.epoch_seconds]
    guesses = [_rest(fold, max(known, default=None)) for fold in folds if fold.state != "done"]
    if None in guesses:
        return None
    rest = [guess for guess in guesses if guess is not None]
    at_work = [g for f, g in zip(_open(folds), rest, strict=True) if f.works]
    waiting = [g for f, g in zip(_open(folds), rest, strict=True) if not f.works]
    ends = at_work or [0.0]
    heapq.heapify(ends)
    for guess in waiting:
        heapq.heappush(ends, heapq.heappop(ends) + guess)
    return max(ends)


def _open(folds: Sequence[LiveFold]) -> list[LiveFold]:
    return [fold for fold in folds if fold.state != "done"]


def _rest(fold: LiveFold, epoch_seconds: float | None) -> float | None:
    """Seconds of work that a fold still needs."""
    if fold.works and fold.left is not None:
        return fold.left
    own = fold.epoch_seconds or epoch_seconds
    return None if own is None or not fold.of else own * fold.of * (1.0 - fold.share)


def about(run: LiveRun) -> str:
    """All folds in a line: how many are done, at work, the time that is left, memory."""
    folds = run.folds
    done = sum(fold.state == "done" for fold in folds)
    working = [fold for fold in folds if fold.works]
    parts = [f"{done} of {len(folds)} done"]
    if working:
        parts.append(f"{len(working)} at work")
    left = seconds_left(folds)
    if left is not None and done < len(folds):
        words = f"about {duration(left)} left"
        parts.append(words if working or run.busy else f"nobody at work, {words}")
    memory = max((fold.memory for fold in working if fold.memory), default=None)
    if memory is not None:
        parts.append(f"memory {size(memory)}")
    devices = [fold for fold in working if fold.device_memory is not None]
    if devices:
        most = max(devices, key=lambda fold: fold.device_memory or 0)
        total = f" of {size(most.device_total)}" if most.device_total else ""
        parts.append(f"device {size(most.device_memory or 0)}{total}")
    return ", ".join(parts)


def size(count: float) -> str:
    """Bytes in GB, or in MB below one."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


_BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int = 16) -> str:
    """The newest values as a line of blocks, the lowest to the highest; "" below two."""
    found = [value for value in values if math.isfinite(value)][-width:]
    if len(found) < 2:
        return ""
    low, high = min(found), max(found)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in found)
