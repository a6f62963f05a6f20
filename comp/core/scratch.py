"""Names of what is not finished yet, and whether its writer is still at work.

    .<name>.<place><random>.tmp

`place` (6 hex digits) says where it is written from: on which kernel, and on which of its disks.
There the lock of the operating system decides whether the writer lives: it ends with its process,
whatever ends it, and containers share it. From elsewhere nothing is known but the age of the file.
A process number says nothing: another container or another machine counts its own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

ABANDONED_SECONDS = 3600.0  # without a change: its writer, on another machine, is gone
_TOKEN = re.compile(r"[0-9a-f]{12}")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def place_of(folder: Path) -> str:
    """6 hex digits of this kernel and the disk of `folder`, which must exist: processes of the same
    place see each other's locks, in whatever container they run."""
    device = folder.stat().st_dev
    return hashlib.blake2b(f"{_kernel()} {device}".encode(), digest_size=3).hexdigest()


@functools.cache
def _kernel() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return socket.gethostname()


def scratch_path(path: Path, suffix: str = "tmp") -> Path:
    """A name beside `path`, which no other writer has; its folder must exist."""
    token = place_of(path.parent) + secrets.token_hex(3)
    return path.with_name(f".{path.name}.{token}.{suffix}")


@contextlib.contextmanager
def held(path: Path, *, folder: bool = False) -> Iterator[None]:
    """An empty scratch file, or folder, which does not count as abandoned while the block runs.

    Raises OSError where it cannot be made.
    """
    try:
        import fcntl
    except ImportError:  # Windows: an open file could not be renamed; its age protects it
        path.mkdir() if folder else path.touch()
        yield
        return
    handle = _opened(path, folder)
    try:
        while not _is_locked(handle, fcntl.LOCK_EX, path):  # swept between the two: once more
            os.close(handle)
            handle = _opened(path, folder)
        yield
    finally:
        os.close(handle)


def _opened(path: Path, folder: bool) -> int:
    if folder:
        path.mkdir(exist_ok=True)
    return os.open(path, os.O_RDONLY if folder else os.O_RDONLY | os.O_CREAT, 0o666)


def _is_locked(handle: int, how: int, path: Path) -> bool:
    """Lock an open file; False when `path` is no longer its name."""
    import fcntl

    with contextlib.suppress(OSError):  # a disk without locks
        fcntl.flock(handle, how)
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def discard(path: Path, *, alone: bool = False) -> bool:
    """Remove a scratch file or folder whose writer is gone; whether that was so.

    alone: nobody else can be at work on it. Raises OSError where it cannot be removed.
    """
    if alone:
        return _remove(path)
    try:
        token = path.name.split(".")[-2]
        handle = os.open(path, os.O_RDONLY)
    except (OSError, IndexError):
        return False  # it is gone, or not ours
    try:
        here = _TOKEN.fullmatch(token) and token[:6] == place_of(path.parent)
        free = _lock_now(handle) if here else None
        if free is None:
            free = time.time() - os.fstat(handle).st_mtime > ABANDONED_SECONDS
        return free and _remove(path)  # under the lock: a writer that comes now begins again
    finally:
        os.close(handle)


def _lock_now(handle: int) -> bool | None:
    """Whether nobody else has locked an open file; None where nothing can be locked."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _remove(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True
