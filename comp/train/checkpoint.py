"""Checkpoints that cannot be lost: written beside, checked by a digest, two generations of `last`.

A checkpoint is `torch.save` of one named dict of plain values and tensors, followed by a trailer
with its SHA-256. (`torch.load` by itself reads such a file too: what follows a zip is skipped.)
`last.pt` is the newest; the one before it is kept as `last.1.pt`. In between, for an instant,
there may be only `last.1.pt`; a loadable one always exists.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import platform
import shutil
from pathlib import Path
from typing import IO, Any

import timm
import torch

from comp import __version__, files
from comp.errors import CompError, RunError, reason
from comp.runs import RunDir

State = dict[str, Any]
_MARK = b"comp-sha256:"
_TRAILER = len(_MARK) + 32


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    return {
        "comp": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "timm": timm.__version__,
    }


class _Digesting:
    """A file that is written through and hashed on the way."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle = handle
        self.digest = hashlib.sha256()

    def write(self, content: Any) -> int:
        """Write and hash."""
        self.digest.update(content)
        return self.handle.write(content)

    def flush(self) -> None:
        """Flush the file below."""
        self.handle.flush()


def save(state: State, path: Path) -> None:
    """Write `state` as the whole of `path`, or leave what was there.

    Raises CompError when the disk is full or cannot be written; nothing is left behind then.
    """
    with files.replacing(path) as beside:
        write_checked(state, beside)


def write_checked(state: State, path: Path) -> None:
    """`torch.save` to `path`, with the trailer."""
    with path.open("wb") as handle:
        digesting = _Digesting(handle)
        try:
            torch.save(state, digesting)  # type: ignore[arg-type]
        except RuntimeError as problem:  # torch turns an OSError of a write into its own error
            raise OSError(None, reason(problem)) from problem
        handle.write(_MARK + digesting.digest.digest())


def save_last(state: State, run: RunDir) -> None:
    """Write `state` as `last.pt`; what was `last.pt` becomes `last.1.pt`."""
    with files.replacing(run.last) as beside:
        write_checked(state, beside)
        files.sync(beside)  # before the old one is moved away, or a power cut could lose both
        if run.last.exists():
            run.last.replace(run.before_last)


def load(path: Path) -> State:
    """The state in `path`, on the CPU; nothing in the file is ever run.

    Raises RunError when the file is missing, torn or changed, or holds more than tensors and plain
    values.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as problem:
        raise RunError(f"{path}: no such checkpoint. Train first: `comp train`.") from problem
    except OSError as problem:
        raise RunError(f"{path}: cannot be read ({reason(problem)})") from problem
    body, trailer = content[:-_TRAILER], content[-_TRAILER:]
    if trailer != _MARK + hashlib.sha256(body).digest():
        raise RunError(f"{path}: damaged: its content does not match its checksum")
    try:
        state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as problem:
        raise RunError(f"{path}: not a checkpoint of comp ({reason(problem)})") from problem
    if not isinstance(state, dict) or "model" not in state:
        raise RunError(f"{path}: not a checkpoint of comp")
    return state


def load_last(run: RunDir) -> tuple[State | None, list[str]]:
    """The newest whole checkpoint of a fold, and what was wrong with newer ones.

    None when there is none at all. Raises RunError when there are some and none of them is whole.
    """
    damaged: list[str] = []
    for path in (run.last, run.before_last):
        if not path.exists():
            continue
        try:
            return load(path), damaged
        except RunError as problem:
            damaged.append(str(problem))
    if damaged:
        lines = "\n".join(f"  - {line}" for line in damaged)
        raise RunError(
            f"{run.path}: no whole checkpoint is left:\n{lines}\n"
            "Bring one back from a backup, or start the fold over with `comp train --restart`."
        )
    return None, []


def require_space(state: State, run: RunDir, top: int = 1) -> None:
    """Raise CompError when the disk has no room for the checkpoints of a fold like this one.

    Counted: two generations of `last`, a third while it is written, `best`, and from two `top`
    checkpoints on those and their mean.
    """
    last = _size(state)
    others = 2 if top < 2 else 4 + top
    needed = 3 * last + others * _size(state["model"])
    present = sum(path.stat().st_size for path in run.path.glob("*.pt"))
    free = shutil.disk_usage(run.path).free + present
    if free < needed:
        raise CompError(
            f"{run.path}: checkpoints of this fold need about {needed >> 20} MB, {free >> 20} MB "
            "are free. Make room, or run in another folder."
        )


def _size(value: Any) -> int:
    """Bytes of all tensors in nested dicts and lists."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(_size(item) for item in value.values())
    return sum(_size(item) for item in value) if isinstance(value, list) else 0
