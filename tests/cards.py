"""A CUDA device, or a CPU that plays one: a test with the fixture `card` runs on both.

Where there is no card, the test goes the same way through the code (streams, pinned memory, loss
scaler, full memory), with fakes in the place of what needs a driver.
"""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from comp.models.device import Device, choose_device
from comp.models.networks import Net

_WAITING = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")
_READING = ("item", "__bool__", "__float__", "__int__", "__index__")
_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Waits(TorchDispatchMode):
    """Counts the calls for which a device would have to be waited for, the copies from one device
    to another, and what else than a copy is done to uint16, for which CUDA has little.

    Methods of tensors are watched themselves: without gradients torch reads a number of the CPU
    past every mode. back: whether `cpu()` is a wait, which it is of a tensor on a card.
    """

    def __init__(self, *, back: bool = False) -> None:
        super().__init__()
        self.reading = (*_READING, "cpu") if back else _READING
        self.waits: list[str] = []
        self.copies: list[str] = []
        self.words: list[str] = []
        self._around = contextlib.ExitStack()

    def __enter__(self) -> Any:
        patch = self._around.enter_context(pytest.MonkeyPatch.context())
        for name in self.reading:
            real = getattr(torch.Tensor, name)

            def noted(value: torch.Tensor, name: str = name, real: Any = real) -> Any:
                if name != "cpu" or not value.is_pinned():  # which is on the CPU
                    self.waits.append(name)
                return real(value)

            patch.setattr(torch.Tensor, name, noted)
        return super().__enter__()

    def __exit__(self, *problem: Any) -> None:
        super().__exit__(*problem)
        self._around.close()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = str(func).split(".")[1]
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
        by_mask = [value for value in tensors[1:] if value.dtype == torch.bool]
        if name in _WAITING or (name.startswith("index") and by_mask):
            self.waits.append(name)
        if len({value.device.type for value in tensors}) > 1:
            self.copies.append(name)
        words = [v for v in tensors if v.dtype == torch.uint16 and v.device.type != "cpu"]
        if words and name not in ("_to_copy", "copy_", "view", "alias", "detach"):
            self.words.append(name)
        return out


class Memory(TorchDispatchMode):
    """Memory that so many bytes fit into; what is made while it is on takes room until it is gone.
    `peak`: the most that was in use.

    It is full at the end of the layer, the backward pass or the update that needed more: an error
    out of a dispatch mode would keep the tensors that it was raised over.
    """

    def __init__(self, limit: float = math.inf) -> None:
        super().__init__()
        self.limit, self.used, self.peak, self.full = limit, 0, 0, False
        self._known: set[int] = set()
        self._around = contextlib.ExitStack()

    def __enter__(self) -> Any:
        backward, patch = (
            torch.Tensor.backward,
            self._around.enter_context(pytest.MonkeyPatch.context()),
        )

        def watched(*given: Any, **how: Any) -> None:
            backward(*given, **how)
            self._check()

        patch.setattr(torch.Tensor, "backward", watched)
        layers = register_module_forward_hook(lambda *_: self._check())
        updates = register_optimizer_step_post_hook(lambda *_: self._check())
        for hook in (layers, updates):
            self._around.callback(hook.remove)
        return super().__enter__()

    def __exit__(self, *problem: Any) -> None:
        super().__exit__(*problem)
        self._around.close()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, torch.Tensor) and value.device.type != "meta":
                self._take(value.untyped_storage())
        return out

    def _check(self) -> None:
        full, self.full = self.full, False
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory (played)")

    def _take(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        weakref.finalize(storage, self._give, key, size)
        self.used += size
        self.peak = max(self.peak, self.used)
        self.full = self.full or self.used > self.limit

    def _give(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.used -= size


class Played(Device):
    """A CPU that says it is CUDA."""

    @property
    def cuda(self) -> bool:
        return True

    def describe(self) -> str:
        return f"a played card, {self.precision}"

    details = describe


@dataclass(frozen=True)
class Card:
    """A card. `real`: whether it is one."""

    real: bool

    @property
    def place(self) -> torch.device:
        return torch.device("cuda" if self.real else "cpu")

    def device(self, precision: str = "fp32", *, deterministic: bool = False) -> Device:
        """As `comp train` has it."""
        if self.real:
            return choose_device(precision, deterministic=deterministic)
        return Played(self.place, precision, _DTYPES[precision], precision == "fp16")

    def told(self, patch: pytest.MonkeyPatch) -> list[str]:
        """From now on, what is asked of the card, in order: "copy beside" or "copy main" by the
        stream, "work", "fetch", and "arrived" where the CPU waits for what is fetched."""
        order: list[str] = []
        send, fetch, logits = Device.send, Device.fetch, Net.logits

        def sending(device: Device, tensor: torch.Tensor) -> torch.Tensor:
            here, whole = (
                torch.cuda.current_stream(self.place),
                torch.cuda.default_stream(self.place),
            )
            order.append("copy main" if here == whole else "copy beside")
            return send(device, tensor)

        def fetching(device: Device, tensor: torch.Tensor) -> Callable[[], Any]:
            order.append("fetch")
            arrived = fetch(device, tensor)
            return lambda: (order.append("arrived"), arrived())[1]

        def working(net: Net, images: torch.Tensor) -> torch.Tensor:
            order.append("work")
            return logits(net, images)

        patch.setattr(Device, "send", sending)
        patch.setattr(Device, "fetch", fetching)
        patch.setattr(Net, "logits", working)
        return order

    @contextlib.contextmanager
    def nobody_waits(self) -> Iterator[None]:
        """The block fails where the CPU waits for the device."""
        if not self.real:
            with Waits(back=True) as seen:
                yield
            assert seen.waits == []
            return
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def peak(self, work: Callable[[], Any]) -> int:
        """The bytes that some work takes at the most."""
        if not self.real:
            with Memory() as seen:
                work()
            return seen.peak
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        work()
        return int(torch.cuda.max_memory_reserved())

    @contextlib.contextmanager
    def with_memory(self, limit: int) -> Iterator[None]:
        """So many bytes fit into the memory while the block runs."""
        if not self.real:
            with Memory(limit):
                yield
            return
        torch.cuda.empty_cache()
        whole = torch.cuda.get_device_properties(self.place).total_memory
        torch.cuda.set_per_process_memory_fraction(limit / whole)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)


def play(monkeypatch: pytest.MonkeyPatch) -> Card:
    """A card that the CPU plays: streams and events are there and do nothing; memory says whether
    it was asked for as pinned."""
    main, beside = (SimpleNamespace(wait_stream=lambda _: None) for _ in range(2))
    streams, pinned = [main], set[int]()
    event = SimpleNamespace(record=lambda: None, synchronize=lambda: None)

    @contextlib.contextmanager
    def using(stream: Any) -> Iterator[None]:
        streams.append(stream)
        yield
        streams.pop()

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        pinned.add(storage.data_ptr())
        weakref.finalize(storage, pinned.discard, storage.data_ptr())
        return tensor

    monkeypatch.setattr(torch.cuda, "Stream", lambda _: beside)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: streams[-1])
    monkeypatch.setattr(torch.cuda, "default_stream", lambda _: main)
    monkeypatch.setattr(torch.cuda, "stream", using)
    monkeypatch.setattr(torch.cuda, "Event", lambda: event)
    about = SimpleNamespace(total_memory=1 << 34)  # what a fold writes down every few seconds
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda *_: about)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda *_: 0)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pin(self.clone()))
    monkeypatch.setattr(
        torch.Tensor, "is_pinned", lambda self: self.untyped_storage().data_ptr() in pinned
    )
    for name in ("empty", "zeros"):
        real = getattr(torch, name)

        def made(*given: Any, real: Any = real, pin_memory: bool = False, **how: Any) -> Any:
            return pin(real(*given, **how)) if pin_memory else real(*given, **how)

        monkeypatch.setattr(torch, name, made)
    return Card(real=False)
