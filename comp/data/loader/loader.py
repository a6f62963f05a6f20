"""Training batches, epoch by epoch, made by threads or worker processes while others are used.

A worker is given epoch, position and row of every image (`comp.data.loader.batches`), so it makes
no draw of its own, and an epoch can begin at any step.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from comp.core.errors import CompError, TrainError, WorkerError
from comp.core.parallel import read_ahead
from comp.data.cache.mask_store import MaskStore
from comp.data.cache.store import Images
from comp.data.loader.batches import Batches, Key
from comp.data.loader.beside import Guests
from comp.data.loader.cutpaste import CutPaste
from comp.data.loader.recipes import Recipe
from comp.data.loader.sampler import EpochOrder, Part
from comp.data.loader.targets import Batch, LabelTarget, MaskTarget, Target

Array = np.ndarray[Any, Any]


class Loader:
    """Training batches, epoch by epoch; `len` is the number of steps per epoch.

    Make it with `train_loader`. One epoch runs at a time: starting one ends the one before.
    """

    def __init__(
        self,
        batches: Batches,
        order: EpochOrder,
        workers: int,
        row_weights: Array | None = None,
    ) -> None:
        """row_weights: (N,) float32 of all rows, or None."""
        self._batches = batches
        self._order = order
        self._row_weights = row_weights
        self._pinned = torch.cuda.is_available()
        self._torch = _torch_loader(batches, order, workers, self._pinned) if workers else None
        self._running: Generator[Batch, None, None] | None = None

    def __len__(self) -> int:
        return len(self._order)

    def size(self, step: int) -> int:
        """How many images the batch of a step has, those that are made elsewhere too."""
        return self._order.size(step)

    @property
    def images(self) -> int:
        """How many images an epoch shows."""
        return self._order.length

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of epoch `number` from `first_step` on: images (B, H, W, 3) uint8 and
        target int64, (B,) or (B, C), or masks (B, L, H, W) uint8; in pinned memory where there is
        CUDA.

        The batches before `first_step` cost nothing. Raises TrainError when `first_step` is not
        in 0..len, WorkerError when a worker dies; an error inside a worker is raised here.
        """
        if not 0 <= first_step <= len(self):
            raise TrainError(f"an epoch has {len(self)} steps; it cannot begin at {first_step}")
        if self._torch is None:
            return self._alone(number, first_step)
        if self._running is not None:
            self._running.close()  # its thread reads from the workers that the new epoch takes
        self._order.chosen = (number, first_step)
        batches = ((batch[0], batch[1]) for batch in iter(self._torch))
        steps = range(first_step, len(self))
        # Each is fetched from its worker while the one before is used
        found = read_ahead(lambda _: next(batches), steps, threads=1, waiting=1)
        self._running = _with_advice(found)
        return self._running

    def weights(self, number: int, first_step: int = 0) -> Iterator[torch.Tensor | None]:
        """(B,) float32 how much each image of the same batches counts; None, again and again,
        where all count alike."""
        while self._row_weights is None:
            yield None
        for keys in self._order.keys(number, first_step):
            yield torch.from_numpy(self._row_weights[[row for _, _, row in keys]])

    def _alone(self, number: int, first_step: int) -> Iterator[Batch]:
        """A thread makes each batch while the one before is used, in memory that is allocated here:
        memory that a thread allocates is returned to the system each time, at the same cost."""
        work = (
            (keys, self._batches.buffer(len(keys))) for keys in self._order.keys(number, first_step)
        )
        return read_ahead(self._make, work, threads=1, waiting=1)

    def _make(self, work: tuple[list[Key], Any]) -> Batch:
        images, target = self._batches.make(*work)
        return (images.pin_memory(), target.pin_memory()) if self._pinned else (images, target)


def _with_advice(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """The same batches; the death of a worker is a WorkerError."""
    try:
        with worker_deaths():
            yield from batches
    except WorkerError:
        raise
    except CompError as problem:
        kind = type(problem)
        _, found, message = str(problem).rpartition(f"{kind.__module__}.{kind.__qualname__}: ")
        if not found:
            raise
        raise kind(message.strip()) from problem  # the text of a worker's error is its traceback


@contextlib.contextmanager
def worker_deaths() -> Iterator[None]:
    """WorkerError where the block is told that a worker has died: while it waits for a batch, or
    at any other place of the main thread, by torch's handler of SIGCHLD."""
    try:
        yield
    except RuntimeError as problem:
        if "DataLoader worker" not in str(problem) or "Caught" in str(problem):
            raise
        raise WorkerError(
            f"a process that prepares images died ({str(problem).splitlines()[0]}). Often "
            "memory or shared memory (/dev/shm) is short: try --set train.workers=0"
        ) from problem


def _torch_loader(
    batches: Batches, order: EpochOrder, workers: int, pinned: bool
) -> DataLoader[Batch]:
    return DataLoader(
        batches,  # type: ignore[arg-type]
        sampler=order,
        batch_size=None,  # an item is a batch already
        num_workers=workers,
        persistent_workers=True,
        pin_memory=pinned,
        worker_init_fn=_begin_worker,
        # Its own: DataLoader draws a number per epoch, which must not change the trainer's dropout
        generator=torch.Generator(),
    )


def _begin_worker(number: int) -> None:
    """One thread per worker. Signals to the process group are for the main process, which still
    needs its batches, so each worker has a group of its own; it ends when the main process ends it
    (by SIGTERM at the latest) or is gone."""
    cv2.setNumThreads(0)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def train_loader(
    images: Images,
    rows: Array,
    target: Array,
    recipe: Recipe,
    *,
    seed: int,
    fold: int,
    batch_size: int,
    workers: int,
    sampler: str = "shuffle",
    strength: float = 1.0,
    paste: CutPaste | None = None,
    masks: MaskStore | None = None,
    side: int | None = None,
    labels: Array | None = None,
    guests: Sequence[Guests] = (),
    part: Part | None = None,
    weights: Array | None = None,
) -> Loader:
    """Batches to train one fold on.

    images: (N, H, W, 3) uint8, or an object used like it (`comp.data.cache.store`). rows: (n,) the
    training rows among the N. target: all N, (N,) class numbers or (N, C) zeros and ones, or
    numbers (N, C); samplers
    go by it. The order of an epoch and every augmentation depend on (seed, fold, epoch, position)
    only: any number of workers gives the same batches.
    masks: those of all N; a batch then holds masks (B, L, H, W) uint8 in the place of the target.
    side: see `MaskTarget`. labels: (N, C) float32, what is learned in the place of the target:
    probabilities of the columns. guests: rows that each epoch shows beside `rows`. part: see
    `EpochOrder`. weights: (N,) float32 how much each of all rows counts, see `Loader.weights`.
    The last batch is dropped when it would hold one image (BatchNorm cannot use it).
    Raises TrainError for fewer than two rows, ConfigError for an unknown sampler.
    """
    rows = np.asarray(rows, dtype=np.int64)
    kind = np.float32 if target.dtype.kind == "f" else np.int64
    target = np.ascontiguousarray(target, dtype=kind)
    if len(rows) < 2:
        raise TrainError(f"fold {fold}: {len(rows)} training images; at least 2 are needed")
    learned = target if labels is None else np.ascontiguousarray(labels, dtype=np.float32)
    made: Target = LabelTarget(learned, paste) if masks is None else MaskTarget(masks, side)
    batches = Batches(images, made, recipe, seed, fold)
    order = EpochOrder(rows, target, seed, fold, batch_size, sampler, strength, guests, part)
    return Loader(batches, order, workers, weights)
