"""Batches of packed images: in the order and with the augmentation that (seed, fold, epoch,
position) say, whoever computes them.

Position is the place of an image in the order of its epoch. A worker is told epoch, position and
row of every image, so it makes no draw of its own, and an epoch can begin at any step.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from comp.core import rng
from comp.core.errors import TrainError, WorkerError, pick
from comp.data.cache.store import Images, from_state, gather, plain, to_state
from comp.data.loader.cutpaste import CutPaste
from comp.data.loader.mask_batches import MaskBatches, Regions
from comp.data.loader.recipes import Recipe
from comp.data.loader.sampler import SAMPLERS

Array = np.ndarray[Any, Any]
Batch = tuple[torch.Tensor, torch.Tensor]
Key = tuple[int, int, int]  # epoch, position, row of the pack


class _Batches:
    """A map-style torch dataset whose items are whole batches, asked for by a list of keys."""

    def __init__(
        self,
        images: Images,
        target: Array,
        recipe: Recipe,
        seed: int,
        fold: int,
        paste: CutPaste | None = None,
    ) -> None:
        self.paste = paste
        self.images = images
        self.target = target
        self.recipe = recipe
        self.seed = seed
        self.fold = fold
        self._plain = plain(images)

    def room(self, count: int) -> Array:
        """Memory for the images of a batch."""
        return np.empty((count, *self._plain.shape[1:]), dtype=np.uint8)

    def make(self, keys: list[Key], room: Array) -> Batch:
        """The batch of these keys, its images in `room`."""
        rows = np.array([row for _, _, row in keys], dtype=np.int64)
        target = self.target[rows]  # a copy: CutPaste changes labels
        if self.recipe.changes or self.paste is not None:
            for place, (epoch, position, row) in enumerate(keys):
                room[place], target[place] = self._one(epoch, position, row)
        else:
            gather(self._plain, rows, room)
        return torch.from_numpy(room), torch.from_numpy(target)

    def __getitem__(self, keys: list[Key]) -> Batch:
        return self.make(keys, self.room(len(keys)))

    def _one(self, epoch: int, position: int, row: int) -> tuple[Array, Array]:
        """An image and its label, as training sees them."""
        image, label = self._plain[row], self.target[row]
        if self.paste is not None:
            seed = rng.derive(self.seed, "cutpaste", self.fold, epoch, position)
            image, label = self.paste(image, label, row, seed)
        draw = rng.derive(self.seed, "augment", self.fold, epoch, position)
        return self.recipe(image, draw), label

    def __getstate__(self) -> dict[str, Any]:
        """For workers that are spawned: they map the file again; pickle would copy all of it."""
        state = {name: value for name, value in self.__dict__.items() if name != "_plain"}
        state["images"] = to_state(self.images)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "images": from_state(state["images"])})
        self._plain = plain(self.images)


class _Plan:
    """The keys of the batches of an epoch; as a torch sampler, of the epoch that is `chosen`."""

    def __init__(
        self,
        rows: Array,
        target: Array,
        seed: int,
        fold: int,
        batch_size: int,
        sampler: str,
        strength: float,
    ) -> None:
        self.rows = rows
        self.target = target
        self.seed = seed
        self.fold = fold
        self.batch_size = batch_size
        self.order = pick(SAMPLERS, sampler, "sampler (train.sampler)")
        self.strength = strength
        self.length = len(self._order(0))
        self.chosen = (0, 0)

    def __len__(self) -> int:
        """Steps of a whole epoch."""
        whole, rest = divmod(self.length, self.batch_size)
        return whole + (rest > 1)

    def _order(self, epoch: int) -> Array:
        """The rows that an epoch shows, in its order."""
        draw = rng.generator(self.seed, "order", self.fold, epoch)
        return np.asarray(self.rows[self.order(self.target[self.rows], self.strength, draw)])

    def __iter__(self) -> Iterator[list[Key]]:
        return self.keys(*self.chosen)

    def keys(self, epoch: int, first_step: int) -> Iterator[list[Key]]:
        """The keys of each batch of `epoch` from `first_step` on."""
        rows = self._order(epoch).tolist()
        for start in range(first_step * self.batch_size, len(rows), self.batch_size):
            batch = rows[start : start + self.batch_size]
            if len(batch) > 1 or self.batch_size == 1:
                yield [(epoch, start + place, row) for place, row in enumerate(batch)]


class Loader:
    """Training batches, epoch by epoch; `len` is the number of steps of an epoch.

    Make it with `train_loader`. One epoch at a time: beginning one ends the one before.
    """

    def __init__(self, batches: _Batches | MaskBatches, plan: _Plan, workers: int) -> None:
        self._batches = batches
        self._plan = plan
        self._pinned = torch.cuda.is_available()
        self._torch = _torch_loader(batches, plan, workers, self._pinned) if workers else None

    def __len__(self) -> int:
        return len(self._plan)

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
        self._plan.chosen = (number, first_step)
        return _with_advice(_ahead((batch[0], batch[1]) for batch in iter(self._torch)))

    def _alone(self, number: int, first_step: int) -> Iterator[Batch]:
        """Each batch is made by a thread while the one before is used, in memory that is taken
        here: what a thread takes is given back to the system each time, and costs as much again."""
        coming: Future[Batch] | None = None
        with ThreadPoolExecutor(1) as pool:
            for keys in self._plan.keys(number, first_step):
                before = coming
                coming = pool.submit(self._make, keys, self._batches.room(len(keys)))
                if before is not None:
                    yield before.result()
            if coming is not None:
                yield coming.result()

    def _make(self, keys: list[Key], room: Any) -> Batch:
        images, target = self._batches.make(keys, room)
        return (images.pin_memory(), target.pin_memory()) if self._pinned else (images, target)


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each fetched from its worker while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _with_advice(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same; the death of a worker is a WorkerError."""
    try:
        yield from batches
    except RuntimeError as problem:
        if "DataLoader worker" not in str(problem) or "Caught" in str(problem):
            raise
        raise WorkerError(
            f"a process that prepares images died ({str(problem).splitlines()[0]}). Often "
            "memory or shared memory (/dev/shm) is short: try --set train.workers=0"
        ) from problem


def _torch_loader(
    batches: _Batches | MaskBatches, plan: _Plan, workers: int, pinned: bool
) -> DataLoader[Batch]:
    return DataLoader(
        batches,  # type: ignore[arg-type]
        sampler=plan,
        batch_size=None,  # an item is a batch already
        num_workers=workers,
        persistent_workers=True,
        pin_memory=pinned,
        worker_init_fn=_begin_worker,
        # Its own, because DataLoader draws a number an epoch: the trainer's dropout must not see it
        generator=torch.Generator(),
    )


def _begin_worker(number: int) -> None:
    """One thread a worker. Signals to the process group are for the main process, which still
    wants its batches, so a worker has a group of its own; it ends when the main process ends it
    (by SIGTERM, at the latest) or is gone."""
    cv2.setNumThreads(0)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def train_loader(
    pack_images: Images,
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
    regions: Regions | None = None,
    side: int | None = None,
) -> Loader:
    """Batches to train one fold on.

    pack_images: (N, H, W, 3) uint8, or what stands for it (`comp.data.cache.store`). rows: (n,) the
    training rows among the N. target: all N, (N,)
    class numbers or (N, C) zeros and ones. The order of an epoch and every augmentation depend on
    (seed, fold, epoch, position) only: any number of workers gives the same batches.
    regions: the masks of all N; a batch then holds masks (B, L, H, W) uint8 in place of the target,
    which is what samplers go by. side: see `MaskBatches`.
    The last batch is dropped when it would hold one image (BatchNorm cannot use it).
    Raises TrainError for fewer than two rows, ConfigError for an unknown sampler.
    """
    rows = np.asarray(rows, dtype=np.int64)
    target = np.ascontiguousarray(target, dtype=np.int64)
    if len(rows) < 2:
        raise TrainError(f"fold {fold}: {len(rows)} training images; at least 2 are needed")
    batches: _Batches | MaskBatches
    if regions is None:
        batches = _Batches(pack_images, target, recipe, seed, fold, paste)
    else:
        batches = MaskBatches(pack_images, regions, recipe, seed, fold, side)
    plan = _Plan(rows, target, seed, fold, batch_size, sampler, strength)
    return Loader(batches, plan, workers)


def eval_batches(pack_images: Images, rows: Array, batch_size: int) -> Iterator[torch.Tensor]:
    """The images of `rows`, in that order, as (B, H, W, 3) uint8 batches; no randomness.

    Images that keep their own size come one by one.
    """
    images = plain(pack_images)
    rows = np.asarray(rows, dtype=np.int64)
    if getattr(images, "own_size", False):
        yield from (torch.from_numpy(np.asarray(images[int(row)]))[None] for row in rows)
        return
    for start in range(0, len(rows), batch_size):
        yield torch.from_numpy(gather(images, rows[start : start + batch_size]))
