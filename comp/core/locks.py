"""One writer per folder: a lock that names its holder, ends with it, is taken over when stale."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from comp.core.errors import CompError
from comp.core.progress import say

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 120.0
_POLL_SECONDS = 0.2


class HeldError(CompError):
    """Another process is at work in this folder."""


@contextmanager
def writing(folder: Path, *, name: str = "lock", wait: bool = False) -> Iterator[None]:
    """Hold `folder` for writing while the block runs; the lock is the file `name` in it.

    wait: wait for another holder, which is announced once, instead of raising HeldError.

    On one machine the lock of the operating system decides: it ends with its process, whatever
    ends it. (It is a record lock, which workers do not inherit.) Between machines on a shared
    disk, a heartbeat decides: a lock of another host that was refreshed in the last two minutes
    holds. Raises HeldError, which names the pid and the host; CompError when the folder cannot be
    written.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+", encoding="utf-8")
    except OSError as problem:
        raise CompError(f"{folder}: cannot be written ({problem.strerror})") from problem
    with handle:
        _wait_for(handle, path) if wait else _take(handle, path)
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
        beat.start()
        try:
            yield
        finally:
            stop.set()
            beat.join()
            with contextlib.suppress(OSError):
                handle.truncate(0)


def holder(folder: Path) -> dict[str, Any] | None:
    """Who holds `folder` now (pid, host, since), or None."""
    path = folder / "lock"
    try:
        with path.open("r+", encoding="utf-8") as handle:
            return _rival(handle, path)
    except OSError:
        return None


def _wait_for(handle: IO[str], path: Path) -> None:
    announced = False
    while True:
        try:
            return _take(handle, path)
        except HeldError as held:
            if not announced:
                say(f"waiting: {held}")
            announced = True
            time.sleep(_POLL_SECONDS)


def _take(handle: IO[str], path: Path) -> None:
    rival = _rival(handle, path, keep=True)
    if rival is not None:
        raise HeldError(_refusal(path, rival))
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        handle.seek(0)
        handle.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": since}, handle)
        handle.flush()
    except OSError as problem:
        raise CompError(f"{path}: cannot be written ({problem.strerror})") from problem


def _refusal(path: Path, rival: dict[str, Any]) -> str:
    text = (
        f"{path.parent}: held by process {rival.get('pid', '?')} on {rival.get('host', '?')} since "
        f"{rival.get('since', '?')}. Wait for it, or stop it; two writers would spoil the fold."
    )
    if rival.get("host", socket.gethostname()) != socket.gethostname():
        text += (
            f" If that machine is gone, its hold ends {STALE_SECONDS:.0f} s after its last sign."
        )
    return text


def _rival(handle: IO[str], path: Path, *, keep: bool = False) -> dict[str, Any] | None:
    """The holder that is not this process; with `keep`, the lock is ours when there is none."""
    locked = _lock(handle)
    written = _read(handle)
    if not locked:
        return written or {}
    if not keep:
        _unlock(handle)
    other = written is not None and written.get("host") != socket.gethostname()
    if other and time.time() - path.stat().st_mtime < STALE_SECONDS:
        return written
    return None


def _read(handle: IO[str]) -> dict[str, Any] | None:
    handle.seek(0)
    try:
        written = json.loads(handle.read())
    except ValueError:
        return None
    return written if isinstance(written, dict) else None


def _lock(handle: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: the heartbeat alone decides
        return True
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks
        return True
    return True


def _unlock(handle: IO[str]) -> None:
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_UN)


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(path)
