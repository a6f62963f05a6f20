"""Checkpoints: one named dict of plain values and tensors, written beside and renamed."""

from __future__ import annotations

import pickle
import platform
from pathlib import Path
from typing import Any

import timm
import torch

from comp import __version__, files
from comp.errors import RunError, reason

State = dict[str, Any]


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    return {
        "comp": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "timm": timm.__version__,
    }


def save(state: State, path: Path) -> None:
    """Write `state` as the whole of `path`, or leave what was there."""
    with files.replacing(path) as beside:
        torch.save(state, beside)


def load(path: Path) -> State:
    """The state in `path`, on the CPU; nothing in the file is ever run.

    Raises RunError when the file is missing, torn, or holds more than tensors and plain values.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as problem:
        raise RunError(f"{path}: no such checkpoint. Train first: `comp train`.") from problem
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as problem:
        raise RunError(
            f"{path}: not a whole checkpoint ({reason(problem)}). Remove {path.parent} and train "
            "the fold again."
        ) from problem
    if not isinstance(state, dict) or "model" not in state:
        raise RunError(f"{path}: not a checkpoint of comp")
    return state
