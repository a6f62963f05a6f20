"""Which device does the work, and in which precision."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from typing import Any

import torch

from comp.core.errors import ConfigError


@dataclass(frozen=True)
class Device:
    """A torch device with the precision of the forward pass.

    `dtype` is None for full precision; `scaled`: gradients need a loss scaler (fp16).
    """

    torch_device: torch.device
    precision: str
    dtype: torch.dtype | None
    scaled: bool

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which a forward pass runs."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, dtype=self.dtype)

    def describe(self) -> str:
        """For a log: the device, its name and the precision."""
        if self.torch_device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.torch_device)}, {self.precision}"
        if self.torch_device.type == "cpu":
            return f"cpu ({torch.get_num_threads()} threads), {self.precision}"
        return f"{self.torch_device}, {self.precision}"


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(precision: str = "auto", *, deterministic: bool = False) -> Device:
    """CUDA where there is one, else MPS, else the CPU; `auto` takes the fastest safe precision.

    `auto` on CUDA: bf16 from Ampere on, fp16 with a scaler on Volta and Turing, else fp32. On a
    CPU and on MPS: fp32; bf16 must be set by hand, because it helps some networks and not others.
    Raises ConfigError for fp16 without CUDA.
    """
    if torch.cuda.is_available():
        kind = "cuda"
    elif torch.backends.mps.is_available():
        kind = "mps"
    else:
        kind = "cpu"
    if precision == "auto":
        precision = _fastest_on_cuda() if kind == "cuda" else "fp32"
    if precision == "fp16" and kind != "cuda":
        raise ConfigError(f"train.precision: fp16 needs CUDA; this is {kind}. Use bf16 or fp32.")
    _set_determinism(deterministic)
    if kind == "cpu":
        _keep_memory()
    return Device(torch.device(kind), precision, _DTYPES[precision], precision == "fp16")


def _keep_memory() -> None:
    """Let glibc keep the memory that tensors free: each step asks for the same sizes again, and
    fresh pages cost up to a tenth of a step."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _fastest_on_cuda() -> str:
    major = torch.cuda.get_device_capability()[0]
    if major >= 8:
        return "bf16"
    return "fp16" if major >= 7 else "fp32"


def _set_determinism(deterministic: bool) -> None:
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
