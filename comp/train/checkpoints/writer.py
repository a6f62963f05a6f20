"""Writes what a fold saves, one thing after another: at once, or beside the training.

Beside a CUDA device a thread writes a snapshot while the next steps run. The guarantees stay: the
order of the files is that of the calls, each is old or new, and nothing is left unwritten where the
loop leaves. On a CPU the snapshot would cost as much memory as the state, and its writing the cores
that train: there everything is written at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import torch

from comp.train.checkpoints.checkpoint import Saved

_MOST = 4  # snapshots in memory: what the end of an epoch saves


class Writer:
    """beside: whether a thread does the writing. mute: write nothing, in a process that trains with
    another one, which writes. Leaving its context waits for all of it."""

    def __init__(self, *, beside: bool, mute: bool = False) -> None:
        self._mute = mute
        self._pool = ThreadPoolExecutor(1) if beside and not mute else None
        self._coming: list[Future[None]] = []

    def put(self, write: Callable[[Saved], None], saved: Saved) -> None:
        """Write `saved` by `write`, after everything before it. Raises what an earlier `write`
        raised, and its own where it is written at once."""
        if self._mute:
            return
        if self._pool is None:
            write(saved)
            return
        self.check()
        while len(self._coming) >= _MOST:  # a disk that is too slow is waited for
            self._coming.pop(0).result()
        self._coming.append(self._pool.submit(write, snapshot(saved)))

    def check(self) -> None:
        """Raise what a `write` raised that is done."""
        while self._coming and self._coming[0].done():
            self._coming.pop(0).result()

    def wait(self) -> None:
        """Until all is written; raises what a `write` raised."""
        while self._coming:
            self._coming.pop(0).result()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait; an error of the block goes before one of the writing."""
        try:
            if kind is None:
                self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown()


def snapshot(value: Any) -> Any:
    """A copy of nested dicts, lists and tuples with every tensor on the CPU.

    The dict of a `state_dict` is one of its own kind (OrderedDict): what is not copied would go on
    learning while it is written.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu() if value.device.type != "cpu" else value.detach().clone()
    if isinstance(value, MutableMapping):
        taken = copy.copy(value)
        for name, item in value.items():
            taken[name] = snapshot(item)
        return taken
    if type(value) in (list, tuple):
        return type(value)(snapshot(item) for item in value)
    return value
