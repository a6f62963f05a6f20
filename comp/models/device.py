"""Which device does the work, and in which precision."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from comp.core.errors import ConfigError, reason
from comp.core.progress import say

Array = np.ndarray[Any, Any]
S = TypeVar("S")
P = TypeVar("P", bound=tuple[Any, ...])


@dataclass(frozen=True)
class Device:
    """A torch device with the precision of the forward pass.

    `dtype` is None for full precision; `scaled`: gradients need a loss scaler (fp16).
    """

    torch_device: torch.device
    precision: str
    dtype: torch.dtype | None
    scaled: bool

    @property
    def cuda(self) -> bool:
        """Whether it is a CUDA device: with streams, pinned memory and graphs."""
        return self.torch_device.type == "cuda"

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which a forward pass runs."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, dtype=self.dtype)

    def send(self, tensor: Tensor) -> Tensor:
        """A tensor of the CPU on the device, see `send`."""
        return send(tensor, self.torch_device)

    def fetch(self, tensor: Tensor) -> Callable[[], Array]:
        """A tensor of the device on its way to the CPU; what is returned waits for it. Other work
        may be given to a CUDA device in between."""
        if not self.cuda:
            return lambda: np.asarray(tensor.cpu().numpy())
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()
        event.record()

        def arrived() -> Array:
            event.synchronize()
            return np.asarray(host.numpy())

        return arrived

    def describe(self) -> str:
        """For a log: the device, its name and the precision."""
        if self.cuda:
            return f"{torch.cuda.get_device_name(self.torch_device)}, {self.precision}"
        if self.torch_device.type == "cpu":
            return f"cpu ({torch.get_num_threads()} threads), {self.precision}"
        return f"{self.torch_device}, {self.precision}"

    def details(self) -> str:
        """What `describe` says, with the memory and the arithmetic of a card."""
        if not self.cuda:
            return self.describe()
        memory = torch.cuda.get_device_properties(self.torch_device).total_memory / 2**30
        products = {"highest": "fp32 products", "high": "TF32 products"}
        rest = products.get(torch.get_float32_matmul_precision(), "TF32 products")
        name, precision = torch.cuda.get_device_name(self.torch_device), self.precision
        return f"{name}, {memory:.0f} GiB, {precision}, {rest}"


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on `device`. From the CPU to CUDA it goes through pinned memory, so that nobody
    waits for the copy; elsewhere a copy that does not wait may be read before it is there."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    pinned = tensor if tensor.is_pinned() else tensor.pin_memory()
    return pinned.to(device, non_blocking=True)


def sent_ahead(items: Iterable[S], device: Device, send: Callable[[S], P]) -> Iterator[P]:
    """What `send` makes of each item, in order. On a CUDA device a stream of its own does that: who
    asks for the next as soon as the work on the one before is in the queue has it done beside that
    work. Tensors that were made are kept until the work that follows is done.
    """
    if not device.cuda:
        yield from map(send, items)
        return
    beside = torch.cuda.Stream(device.torch_device)
    beside.wait_stream(torch.cuda.current_stream(device.torch_device))  # what lies there already
    for item in items:
        with torch.cuda.stream(beside):
            sent = send(item)
        main = torch.cuda.current_stream(device.torch_device)
        main.wait_stream(beside)
        for part in sent:
            if isinstance(part, Tensor):
                part.record_stream(main)  # its memory is free when the work of `main` is done
        yield sent


def is_oom(problem: BaseException) -> bool:
    """Whether an error says that the memory of the device is full. cuDNN, cuBLAS and MPS say it by
    a plain RuntimeError."""
    if isinstance(problem, torch.OutOfMemoryError):
        return True
    return isinstance(problem, RuntimeError) and any(word in str(problem) for word in _OOM)


_OOM = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_AMPERE, _VOLTA = (8, 0), (7, 0)  # the first with bf16, and with fast fp16


def choose_device(
    precision: str = "auto",
    *,
    deterministic: bool = False,
    where: str = "auto",
    one_shape: bool = True,
) -> Device:
    """The device `where` names; `auto`: CUDA where there is one, else MPS, else the CPU. The
    precision `auto` is the fastest safe one.

    That is on CUDA bf16 from Ampere on, fp16 with a scaler on Volta and Turing, else fp32. On a
    CPU and on MPS: fp32; bf16 must be set by hand, because it helps some networks and not others.
    one_shape: whether images come in few shapes, for which it pays to search for the fastest
    algorithms. deterministic: without TF32 and without that search.
    Raises ConfigError for fp16 without CUDA, a device that is not there, a card that this torch was
    not built for, and with `auto` for an NVIDIA device that torch cannot use.
    """
    device = torch.device(_found() if where == "auto" else _checked(where))
    if device.type == "cuda":
        _refuse_other_cards(device)
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0)
    if precision == "auto":
        precision = _fastest(capability) if device.type == "cuda" else "fp32"
    if precision == "fp16" and device.type != "cuda":
        raise ConfigError(
            f"train.precision: fp16 needs CUDA; this is {device.type}. Use bf16 or fp32."
        )
    if precision == "bf16" and device.type == "cuda" and capability < _AMPERE:
        say(
            f"train.precision: bf16 is slow on {torch.cuda.get_device_name(device)}, which has no "
            "hardware for it; auto takes the fastest that it has"
        )
    _set_determinism(deterministic, one_shape=one_shape)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if device.type == "cpu":
        _keep_memory()
    return Device(device, precision, _DTYPES[precision], precision == "fp16")


def _found() -> str:
    """The fastest kind of device that is there."""
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    if _nvidia_device() and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        why = _why_no_cuda()
        raise ConfigError(
            f"train.device: there is an NVIDIA device, and torch {torch.__version__} cannot use it "
            f"({why}). Install a torch that fits the driver (https://pytorch.org), or set "
            "train.device: cpu to train without it."
        )
    return "cpu"


def _nvidia_device() -> bool:
    return Path("/proc/driver/nvidia/version").exists() and Path("/dev/nvidiactl").exists()


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "it is built without CUDA"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as problem:
        return reason(problem)
    return f"it is built for CUDA {torch.version.cuda}"


def _checked(where: str) -> str:
    """`train.device` as torch takes it; ConfigError where it is not there."""
    kind, _, number = where.partition(":")
    counts: dict[str, Callable[[], int]] = {
        "cpu": lambda: 1,
        "mps": lambda: int(torch.backends.mps.is_available()),
        "cuda": lambda: torch.cuda.device_count() if torch.cuda.is_available() else 0,
    }
    count = counts[kind]()
    if int(number or 0) >= count:
        raise ConfigError(
            f"train.device: {where} is not there; torch {torch.__version__} sees {count} {kind} "
            "devices. Use auto, or cpu."
        )
    return where


def _refuse_other_cards(device: torch.device) -> None:
    """ConfigError for a card that this build of torch has no code for."""
    major, minor = torch.cuda.get_device_capability(device)
    listed = " ".join(torch.cuda.get_arch_list())
    built = [
        (kind, int(number[:-1]), int(number[-1]))
        for kind, number in re.findall(r"\b(sm|compute)_(\d+)", listed)
    ]
    fits = any(
        (major, minor) >= (high, low) if kind == "compute" else major == high and minor >= low
        for kind, high, low in built
    )
    if built and not fits:
        raise ConfigError(
            f"train.device: {torch.cuda.get_device_name(device)} has compute capability "
            f"{major}.{minor}; this torch {torch.__version__} is built for "
            f"{listed}. Install an older or newer torch that has "
            "it, or set train.device: cpu."
        )


def _keep_memory() -> None:
    """Let glibc keep the memory that tensors free: each step asks for the same sizes again, and
    fresh pages cost up to a tenth of a step."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _fastest(capability: tuple[int, int]) -> str:
    if capability >= _AMPERE:
        return "bf16"
    return "fp16" if capability >= _VOLTA else "fp32"


def _set_determinism(deterministic: bool, *, one_shape: bool) -> None:
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = one_shape and not deterministic
    torch.backends.cudnn.allow_tf32 = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
