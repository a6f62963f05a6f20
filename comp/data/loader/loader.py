"""Training batches, epoch by epoch, made by threads or worker processes while others are used.

A worker is given epoch, position and row of every image (`comp.data.loader.batches`), so it makes
no draw of its own, and an epoch can begin at any step.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from comp.core.errors import CompError, TrainError, WorkerError
from comp.core.parallel import read_ahead
from comp.data.cache.mask_store import MaskStore
from comp.data.cache.store import Images
from comp.data.loader.bag_target import BagSampling, BagTarget
from comp.data.loader.batched.apply import moved
from comp.data.loader.batched.draws import Moves
from comp.data.loader.batched.resident import Resident
from comp.data.loader.batches import Batches, Key, MovesOnly, Raw
from comp.data.loader.beside import Guests
from comp.data.loader.cutpaste import CutPaste
from comp.data.loader.recipes import Recipe
from comp.data.loader.sampler import EpochOrder, Part
from comp.data.loader.shelf import Shelf
from comp.data.loader.targets import Batch, LabelTarget, MaskTarget, Target

Array = np.ndarray[Any, Any]
Work = tuple[list[Key], torch.Tensor | None]


class Loader:
    """Training batches, epoch by epoch; `len` is the number of steps per epoch.

    Make it with `train_loader`. One epoch runs at a time: starting one ends the one before.
    Images that are copies of stored ones are copied by a thread; the processes then only draw what
    the device is to do. What else is to be done to images, processes do.
    resident: where the images lie, if they lie on the device.
    """

    def __init__(
        self,
        batches: Batches,
        order: EpochOrder,
        workers: int,
        resident: Resident | None = None,
        row_weights: Array | None = None,
    ) -> None:
        """row_weights: (N,) float32 of all rows, or None."""
        self._batches, self._order, self._resident = batches, order, resident
        self._row_weights = row_weights
        self._pinned = torch.cuda.is_available()
        self._shelf = Shelf(pinned=self._pinned)
        self._apart = batches.by_thread and batches.draws is not None  # moves from elsewhere
        self._torch = None
        if workers and (self._apart or not batches.by_thread):
            dataset = MovesOnly(batches) if self._apart else batches
            self._torch = _torch_loader(dataset, order, workers, self._pinned)
        self._running: Generator[Any, None, None] | None = None

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
        """The batches of epoch `number` from `first_step` on: images (B, H, W, C) and
        target int64, (B,) or (B, C), or masks (B, L, H, W) uint8; in pinned memory where there is
        CUDA. What is left to the device is done here, where the images are.

        The batches before `first_step` cost nothing. Raises TrainError when `first_step` is not
        in 0..len, WorkerError when a worker dies; an error inside a worker is raised here.
        """
        return self._finished(self.raw(number, first_step))

    def _finished(self, made: Generator[Raw, None, None]) -> Generator[Batch, None, None]:
        with contextlib.closing(made):
            for raw in made:
                yield self.finish(raw)

    def finish(self, raw: Raw) -> Batch:
        """The batch of what was prepared, which is on the device now: with its moves."""
        images, target, moves, rows = raw
        if rows is not None:
            assert self._resident is not None, "rows are those of images on the device"
            images = self._resident.take(rows)
        if moves is None:
            return images, target
        masks = target if self._batches.target.spatial else None
        images, masks = moved(images, masks, moves)
        return images, target if masks is None else masks

    def raw(self, number: int, first_step: int = 0) -> Generator[Raw, None, None]:
        """The same batches as `epoch`, before the device has done its part (`finish`)."""
        if not 0 <= first_step <= len(self):
            raise TrainError(f"an epoch has {len(self)} steps; it cannot begin at {first_step}")
        if self._running is not None:
            self._running.close()  # its thread reads from the workers that the new epoch takes
        if self._torch is None:
            return self._alone(number, first_step, self._make)
        self._order.chosen = (number, first_step)
        coming = iter(self._torch)
        steps = range(first_step, len(self))
        # Each is fetched from its worker while the one before is used
        found = read_ahead(lambda _: next(coming), steps, threads=1, waiting=1)
        if self._apart:
            pixels = self._alone(number, first_step, self._copy)
            made = (raw._replace(moves=Moves(*own)) for raw, own in zip(pixels, found, strict=True))
        else:
            made = (as_raw(item) for item in found)
        self._running = _with_advice(made)
        return self._running

    def weights(self, number: int, first_step: int = 0) -> Iterator[torch.Tensor | None]:
        """(B,) float32 how much each image of the same batches counts; None, again and again,
        where all count alike."""
        while self._row_weights is None:
            yield None
        for keys in self._order.keys(number, first_step):
            yield torch.from_numpy(self._row_weights[[row for _, _, row in keys]])

    def _alone(
        self, number: int, first_step: int, make: Callable[[Work], Raw]
    ) -> Generator[Raw, None, None]:
        """A thread makes each batch while the one before is used, in memory that is allocated here:
        memory that a thread allocates is returned to the system each time, at the same cost."""
        work = (
            (keys, self._shelf.take(self._batches.buffer(len(keys)), self._batches.kind))
            for keys in self._order.keys(number, first_step)
        )
        return read_ahead(make, work, threads=1, waiting=1)

    def _make(self, work: Work) -> Raw:
        return self._ready(self._batches.make(*work))

    def _copy(self, work: Work) -> Raw:
        return self._ready(self._batches.pixels(*work))

    def _ready(self, raw: Raw) -> Raw:
        """In pinned memory, where there is CUDA."""
        if not self._pinned:
            return raw
        images = raw.images if raw.images.is_pinned() else raw.images.pin_memory()
        return raw._replace(images=images, target=raw.target.pin_memory())


def as_raw(item: Any) -> Raw:
    """A batch of a worker; torch turns the tuples inside into lists."""
    images, target, moves, rows = item
    return Raw(images, target, None if moves is None else Moves(*moves), rows)


def _with_advice(batches: Iterator[Raw]) -> Generator[Raw, None, None]:
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
    batches: Batches | MovesOnly, order: EpochOrder, workers: int, pinned: bool
) -> DataLoader[Any]:
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
    bag: BagSampling | None = None,
    batched: bool = False,
    resident: Resident | None = None,
    part: Part | None = None,
    weights: Array | None = None,
) -> Loader:
    """Batches to train one fold on.

    images: (N, H, W, C) uint8 or uint16, or an object used like it (`comp.data.cache.store`). rows:
    (n,) the training rows among the N. target: all N, (N,) class numbers or (N, C) zeros and ones,
    or numbers (N, C); samplers go by it. The order of an epoch and every augmentation depend on
    (seed, fold, epoch, position) only: any number of workers gives the same batches.
    masks: those of all N; a batch then holds masks (B, L, H, W) uint8 in the place of the target.
    side: see `MaskTarget`. labels: (N, C) float32, what is learned in the place of the target:
    probabilities of the columns. guests: rows that each epoch shows beside `rows`.
    bag: the images are bags (`comp.data.cache.bag_store`), of which so many are seen at a time; a
    batch then holds images (B, n, H, W, 3).
    batched: whether the device does what the recipe draws. resident: the images, where they lie on
    the device already; the recipe must then be the device's. part: see `EpochOrder`.
    weights: (N,) float32 how much each of all rows counts, see `Loader.weights`.
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
    if bag is not None:
        made = BagTarget(learned, bag)
    stays = resident is not None
    batches = Batches(images, made, recipe, seed, fold, batched=batched, stays=stays)
    if stays and not batches.copies:
        raise TrainError("images that lie on the device cannot be changed by the CPU")
    order = EpochOrder(rows, target, seed, fold, batch_size, sampler, strength, guests, part)
    return Loader(batches, order, workers, resident, weights)
