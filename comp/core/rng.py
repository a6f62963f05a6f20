"""Every random draw is a function of what it is for, never of what was drawn before.

A draw is named by parts: the seed, the purpose, the fold, the epoch, the position. The same parts
give the same draw on any machine, in any worker, before or after a crash.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np


def derive(*parts: int | str) -> int:
    """A number in [0, 2**63) that is a function of the parts, types and order included."""
    text = "\x1f".join(f"{type(part).__name__[0]}{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """A NumPy generator for this one purpose."""
    return np.random.default_rng(derive(*parts))


def seed_torch(*parts: int | str) -> None:
    """Set torch's generators (every device) for this one purpose: dropout, initial weights.

    Without another device, only that of the CPU: `torch.manual_seed` notes for a CUDA that may come
    where it was called from, which takes as long as a small step.
    """
    import torch

    if _has_devices():
        torch.manual_seed(derive(*parts))
    else:
        torch.default_generator.manual_seed(derive(*parts))


@functools.cache
def _has_devices() -> bool:
    """Whether torch has a device beside the CPU."""
    import torch

    return torch.accelerator.is_available()
