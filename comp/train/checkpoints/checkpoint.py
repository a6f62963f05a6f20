"""Checkpoints that survive a kill: written beside, checked by a digest, two generations of `last`.

A checkpoint is `torch.save` of one named dict of plain values and tensors, followed by a footer
with its SHA-256 (`comp.core.footer`). (`torch.load` by itself reads such a file too: what follows a
zip is skipped.) `last.pt` is the newest; the one before it is kept as `last.1.pt`. In between, for
an instant, there may be only `last.1.pt`; a loadable one always exists.
"""

from __future__ import annotations

import errno
import hashlib
import io
import shutil
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from comp.config.workspace import RunDir
from comp.core import files
from comp.core.errors import CompError, RunError, reason, unreadable
from comp.core.footer import is_whole, seal
from comp.train.hardware.tensors import tensor_bytes

Saved = dict[str, Any]
_RESUMED = ("optimizer", "epoch", "step")  # missing when a best.pt was renamed to last.pt
_BESIDE = 1 << 16  # bytes from which a second thread is worth its hand-over


class _Digesting:
    """A file that is hashed while it is written: large pieces by another thread."""

    def __init__(self, handle: IO[bytes], other: ThreadPoolExecutor) -> None:
        self.handle = handle
        self.other = other
        self.digest = hashlib.sha256()
        self.problem: OSError | None = None

    def write(self, content: Any) -> int:
        """Write and hash; torch takes the memory back when this returns, so both are done then."""
        if len(content) < _BESIDE:
            self.digest.update(content)
            return self._write(content)
        hashed = self.other.submit(self.digest.update, content)
        try:
            return self._write(content)
        finally:
            hashed.result()

    def _write(self, content: Any) -> int:
        try:
            return self.handle.write(content)
        except OSError as problem:
            self.problem = problem  # torch turns it into an error of its own
            raise

    def flush(self) -> None:
        """Flush the file below."""
        self.handle.flush()


def save(state: Saved, path: Path, *, old: Path | None = None) -> None:
    """Write `state` as the whole of `path`, or leave what was there; `old` takes the one before.

    Raises CompError when the disk is full or cannot be written; nothing is left behind then.
    """
    try:
        with files.replacing(path, old=old) as beside:
            _write(state, beside)
    except CompError as problem:
        if getattr(problem.__cause__, "errno", None) == errno.ENOSPC:
            _refuse_full(path, tensor_bytes(state))
        raise


def _write(state: Saved, path: Path) -> None:
    with path.open("wb") as handle, ThreadPoolExecutor(1) as other, _one_checksum():
        digesting = _Digesting(handle, other)
        try:
            torch.save(_interned(state), digesting)  # type: ignore[arg-type]
        except (RuntimeError, OSError) as problem:
            raise digesting.problem or OSError(None, reason(problem)) from problem
        handle.write(seal(digesting.digest, state.get("epoch", 0), state.get("step", 0)))


@contextmanager
def _one_checksum() -> Iterator[None]:
    """Without the CRC-32 that torch computes for each tensor: the seal covers them all."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def save_last(state: Saved, run: RunDir) -> None:
    """Write `state` as `last.pt`; what was `last.pt` becomes `last.1.pt`."""
    save(state, run.last, old=run.before_last)


def load(path: Path) -> Saved:
    """The state in `path`, on the CPU; nothing in the file is ever run.

    Raises RunError when the file is missing, torn or changed, or holds more than tensors and plain
    values.
    """
    file = io.BytesIO(_read_whole(path))  # no copy of it; what follows a zip is skipped
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what a foreign file may hold
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:  # a foreign pickle may raise anything
        raise RunError(f"{path}: not a checkpoint of comp ({reason(problem)})") from problem
    if not isinstance(state, dict) or "model" not in state:
        raise RunError(f"{path}: not a checkpoint of comp")
    return {str(name): _interned(value) for name, value in state.items()}


def _interned(value: Any) -> Any:
    """The value with each text in it as the one object that a literal of the same text is.

    Pickle writes a text again unless it is the same object: without this, a resumed run, or one
    whose config came from another process, would write other bytes for the same state.
    """
    if type(value) is dict:
        return {_interned(key): _interned(item) for key, item in value.items()}
    if type(value) is list:
        return [_interned(item) for item in value]
    return sys.intern(value) if type(value) is str else value


def check(path: Path) -> None:
    """RunError when a checkpoint is missing, torn or changed; its content is hashed only."""
    _read_whole(path)


def _read_whole(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as problem:
        raise RunError(f"{path}: no such checkpoint. Train first: `comp train`.") from problem
    except OSError as problem:
        raise RunError(f"{path}: {unreadable(problem)}") from problem
    if not is_whole(memoryview(content)):
        raise RunError(f"{path}: damaged: its content does not match its checksum")
    return content


def load_last(run: RunDir) -> tuple[Saved | None, list[str]]:
    """The newest whole checkpoint of a fold, and what was wrong with newer ones.

    None when there is none at all. Raises RunError when there are some and none of them is whole.
    """
    damaged: list[str] = []
    for path in (run.last, run.before_last):
        if not path.exists():
            continue
        try:
            return _load_resumable(path), damaged
        except RunError as problem:
            damaged.append(str(problem))
    if damaged:
        lines = "\n".join(f"  - {line}" for line in damaged)
        raise RunError(
            f"{run.path}: no whole checkpoint is left:\n{lines}\n"
            "Bring one back from a backup, or start the fold over with `comp train --restart`."
        )
    return None, []


def _load_resumable(path: Path) -> Saved:
    state = load(path)
    missing = [name for name in _RESUMED if name not in state]
    if missing:
        raise RunError(f"{path}: weights only, nothing to resume from (no {', '.join(missing)})")
    return state


def require_space(
    state: Saved, run: RunDir, *, fresh: bool, top: int = 1, to_come: int = 0
) -> None:
    """Raise CompError when the disk is too full for the checkpoints that the fold will write.

    Counted: one that is being written, and for a fold that is `fresh` two generations of `last`
    and `best` as well, and from two `top` checkpoints on those and their mean. to_come: bytes
    that the optimizer will keep and a fresh state does not have yet.
    """
    weights = tensor_bytes(state["model"])
    last = tensor_bytes(state) + to_come
    others = 2 if top < 2 else 4 + top
    needed = 3 * last + others * weights if fresh else last
    free = shutil.disk_usage(run.path).free
    if fresh:
        free += sum(path.stat().st_size for path in run.path.glob("*.pt"))
    if free < needed:
        raise CompError(
            f"{run.path}: checkpoints of this fold need about {_mb(needed)} MB, {_mb(free)} MB "
            "are free. Make room, or run in another folder."
        )


def _refuse_full(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    raise CompError(
        f"{path}: the disk is full: the checkpoint needs {_mb(needed)} MB, {_mb(free)} MB are free."
        " The one before it is kept. Make room, then run the same command again."
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"
