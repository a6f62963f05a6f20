"""Several processes that train one fold, started by torchrun; by itself, a process is ALONE.

The engine is torch.distributed: NCCL between CUDA devices, gloo between CPUs and for what the
processes agree on. Gradients are added up by one call per batch, after the last micro-batch, in an
order that does not change: a run that is resumed ends with the same bits, and before the call all
have agreed that nobody is out of memory. (DistributedDataParallel reduces during the backward pass,
where one process that fails leaves the others waiting, and in buckets that change after the first
step.)
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from comp.core.errors import ConfigError, TrainError
from comp.core.parallel import share_cores
from comp.core.progress import be_quiet
from comp.models.device import is_oom

T = TypeVar("T")

PATIENCE = timedelta(minutes=10)  # after which a process that waits for another one gives up
_LONG = timedelta(days=7)  # for what the first process does alone; torchrun ends it with the others


class Agreed(torch.OutOfMemoryError):
    """The memory of one process is full, and all know it."""


@dataclass(frozen=True)
class World:
    """The processes that train one fold. `rank`: which of `size` this one is; `local`: its number
    on its machine; `store`: where the first one leaves word for the others."""

    rank: int = 0
    size: int = 1
    local: int = 0
    store: Any = None
    told: Iterator[int] = field(default_factory=count, compare=False)

    @property
    def lead(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def shared(self) -> bool:
        """Whether there are others."""
        return self.size > 1

    def agree(self, *, full: bool = False, stop: int = 0, due: bool = False) -> tuple[int, bool]:
        """What any of the processes says of `stop` and `due`; Agreed where the memory of one is
        full. Every process that is not alone must call it at the same place."""
        said = torch.tensor([int(full), stop, int(due)])
        if self.shared:
            dist.all_reduce(said, op=dist.ReduceOp.MAX)
        anyone, stop, due = said.tolist()
        if anyone:
            raise Agreed("out of memory in one of the processes")
        return stop, bool(due)

    def protected(self, work: Callable[[], T], **flags: Any) -> tuple[T, tuple[int, bool]]:
        """What `work` gives, and what all agree on after it; Agreed where its memory, or that of
        another process, is full."""
        if not self.shared:
            return work(), (0, False)
        try:
            found = work()
        except RuntimeError as problem:
            if not is_oom(problem):
                raise
            full = True
        else:
            full = False
        agreed = self.agree(full=full, **flags)
        return found, agreed

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Put the sum over all processes into each tensor; they have as many, in the same order."""
        if self.shared:
            self._flat(tensors, dist.all_reduce)

    def copy(self, tensors: Sequence[Tensor]) -> None:
        """Put what the first process has into each tensor."""
        if self.shared:
            self._flat(tensors, lambda flat: dist.broadcast(flat, src=0))

    def _flat(self, tensors: Sequence[Tensor], work: Callable[[Tensor], Any]) -> None:
        """One call for all tensors of a type."""
        with torch.no_grad():
            for kind in sorted({tensor.dtype for tensor in tensors}, key=str):
                same = [tensor for tensor in tensors if tensor.dtype == kind]
                flat = torch.cat([tensor.detach().reshape(-1) for tensor in same])
                work(flat)
                parts = flat.split([tensor.numel() for tensor in same])
                for tensor, part in zip(same, parts, strict=True):
                    tensor.copy_(part.view(tensor.shape))

    def gather(self, value: T) -> list[T]:
        """What each process gives, by rank."""
        if not self.shared:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def tell(self, value: T) -> T:
        """What the first process gives, plain values; the others wait for as long as it takes."""
        if not self.shared:
            return value
        key = f"comp/{next(self.told)}"
        if self.lead:
            self.store.set(key, json.dumps(value))
            return value
        self.store.wait([key], _LONG)
        found: T = json.loads(self.store.get(key))
        return found

    def refuse_apart(self, place: tuple[int, ...]) -> None:
        """TrainError where the processes would go on from different places. All wait for all."""
        places = self.gather(place)
        if any(other != place for other in places):
            raise TrainError(
                f"the processes stand at different places (epoch, step, updates: {places}). They "
                "need one workspace, on a disk that all of them share"
            )

    def slices(self, images: int) -> list[tuple[int, int]]:
        """Which images of a batch each process takes: (first, end), two at least. A batch that is
        too small for that is taken whole by all."""
        if images < 2 * self.size:
            return [(0, images)] * self.size
        rows = np.array_split(np.arange(images), self.size)
        return [(int(part[0]), int(part[-1]) + 1) for part in rows]

    def weight(self, images: int) -> int:
        """How often the images of a batch are seen by all processes together."""
        return images * (self.size if self.shared and images < 2 * self.size else 1)


ALONE = World()


def is_follower() -> bool:
    """Whether torchrun has started this process, and not as the first."""
    return started_by_torchrun() and os.environ.get("RANK", "0") != "0"


def started_by_torchrun() -> bool:
    """Whether there are other processes, and an address to meet them at."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "MASTER_ADDR" in os.environ


@contextlib.contextmanager
def joined(batch_size: int) -> Iterator[World]:
    """The world that torchrun started this process in; ALONE where it did not.

    The first process speaks for all. Raises ConfigError for a batch that is too small for so many.
    """
    if not started_by_torchrun():
        yield ALONE
        return
    size = int(os.environ["WORLD_SIZE"])
    if batch_size < 2 * size:
        raise ConfigError(
            f"train.batch_size: {batch_size} images for {size} processes; each needs two at least"
        )
    store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    share_cores(int(os.environ.get("LOCAL_WORLD_SIZE", size)))
    if rank:
        be_quiet(True)
    try:
        local = int(os.environ.get("LOCAL_RANK", rank))
        yield World(rank, size, local, PrefixStore("comp", store))
    finally:
        dist.destroy_process_group()
        share_cores(1)
