"""One writer per folder: a lock that names its holder, ends with it, is taken over when stale."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from comp.core.errors import CompError
from comp.core.progress import say
from comp.core.scratch import place_of

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 120.0
_POLL_SECONDS = 0.2
_READS = 20  # of a lock file that does not yet say whose it is
_one_at_a_time = threading.RLock()
_owned: dict[tuple[int, int, int], dict[str, Any]] = {}  # the locks of this process, by their files


class HeldError(CompError):
    """Another process is at work in this folder."""


class Hold:
    """A lock that this process has: its `path`, the open `handle`, and what is written there."""

    def __init__(self, path: Path, handle: IO[str], about: str) -> None:
        self.path, self.handle, self.about = path, handle, about

    def check(self) -> None:
        """HeldError when another process took the lock over: this one was asleep for too long."""
        if not self.lasts():
            raise HeldError(
                f"{self.path.parent}: taken over by another process, because this one gave no sign "
                f"for {STALE_SECONDS:.0f} s. Run the same command again."
            )

    def lasts(self) -> bool:
        """Whether the lock is still this one. (Opening the file once more would end it.)"""
        try:
            with _one_at_a_time:
                self.handle.seek(0)
                there = os.path.samestat(os.fstat(self.handle.fileno()), self.path.stat())
                return there and self.handle.read() == self.about
        except OSError:
            return False


@contextmanager
def writing(
    folder: Path, *, name: str = "lock", wait: bool = False, keep: bool = True
) -> Iterator[Hold]:
    """Hold `folder` for writing while the block runs; the lock is the file `name` in it.

    wait: wait for another holder, which is announced once, instead of raising HeldError.
    keep: leave the file there, empty; else it is removed.

    On one kernel the lock of the operating system decides, in whatever container a process runs:
    it ends with its process, whatever ends it. (It is a record lock, which workers do not
    inherit.) Between machines on a shared disk, a heartbeat decides: a lock from elsewhere that
    was refreshed in the last two minutes holds. Raises HeldError, which names the pid and the
    host; CompError when the folder cannot be written.
    """
    path = folder / name
    hold = _waited(path) if wait else _taken(path)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(hold, stop), daemon=True)
    beat.start()
    try:
        yield hold
    finally:
        stop.set()
        beat.join()
        _release(hold, keep)


def holder(folder: Path) -> dict[str, Any] | None:
    """Who holds `folder` now (pid, host, since), or None.

    On Linux it only asks: who looks again and again is never in the way of who begins. Elsewhere
    the lock is taken for an instant.
    """
    path = folder / "lock"
    with _one_at_a_time:
        own = _own(path)
        if own is not None:
            return own
        try:
            with path.open("r" if _ASKS else "r+", encoding="utf-8") as handle:
                return _rival(handle, path)
        except OSError:
            return None


def _own(path: Path) -> dict[str, Any] | None:
    """What is written in a lock that another thread has. (To open and close its file would end the
    record lock.)"""
    try:
        state = path.stat()
    except OSError:
        return None
    return _owned.get((os.getpid(), state.st_dev, state.st_ino))


def _waited(path: Path) -> Hold:
    announced = False
    while True:
        try:
            return _taken(path)
        except HeldError as held:
            if not announced:
                say(f"waiting: {held}")
            announced = True
            time.sleep(_POLL_SECONDS)


def _taken(path: Path) -> Hold:
    """The lock, which is ours now; HeldError when it is another's."""
    with _one_at_a_time:
        while True:
            own = _own(path)
            if own is not None:
                raise HeldError(_refusal(path, own))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle = path.open("a+", encoding="utf-8")
            except OSError as problem:
                raise CompError(
                    f"{path.parent}: cannot be written ({problem.strerror})"
                ) from problem
            try:
                about = _take(handle, path)
            except BaseException:
                handle.close()
                raise
            if about is not None:
                return Hold(path, handle, about)
            handle.close()  # removed by the one who held it; once more


def _take(handle: IO[str], path: Path) -> str | None:
    """What was written into a lock file that is ours now; None when the file is no longer there."""
    rival = _rival(handle, path, keep=True)
    if rival is not None:
        raise HeldError(_refusal(path, rival))
    state = os.fstat(handle.fileno())
    try:
        if not os.path.samestat(state, path.stat()):
            return None
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "place": place_of(path.parent),
            "token": secrets.token_hex(8),
        }
        text = json.dumps(about)
        handle.seek(0)
        handle.truncate()
        handle.write(text)
        handle.flush()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise CompError(f"{path}: cannot be written ({problem.strerror})") from problem
    _owned[os.getpid(), state.st_dev, state.st_ino] = about
    return text


def _release(hold: Hold, keep: bool) -> None:
    with _one_at_a_time, hold.handle as handle, contextlib.suppress(OSError):
        state = os.fstat(handle.fileno())
        _owned.pop((os.getpid(), state.st_dev, state.st_ino), None)
        if hold.lasts():
            handle.truncate(0) if keep else hold.path.unlink()


def _refusal(path: Path, rival: dict[str, Any]) -> str:
    text = (
        f"{path.parent}: held by process {rival.get('pid', '?')} on {rival.get('host', '?')} since "
        f"{rival.get('since', '?')}. Wait for it, or stop it; two writers would spoil the files."
    )
    if rival and _elsewhere(rival, path):
        text += (
            f" If that machine is gone, its hold ends {STALE_SECONDS:.0f} s after its last sign."
        )
    return text


def _rival(handle: IO[str], path: Path, *, keep: bool = False) -> dict[str, Any] | None:
    """The holder that is not this process; with `keep`, the lock is ours when there is none."""
    locked = _lock(handle) if keep or not _ASKS else _is_free(handle)
    written = _read(handle)
    if locked is False:
        return written or _soon_written(handle)
    if not keep and not _ASKS:
        _unlock(handle)
    unsure = written is not None and (locked is None or _elsewhere(written, path))
    if unsure and time.time() - os.fstat(handle.fileno()).st_mtime < STALE_SECONDS:
        return written
    return None


def _elsewhere(written: dict[str, Any], path: Path) -> bool:
    """Whether a lock was taken where the lock of the operating system does not reach."""
    if "place" in written:
        return bool(written["place"] != place_of(path.parent))
    return bool(written.get("host") != socket.gethostname())  # by an earlier version


def _read(handle: IO[str]) -> dict[str, Any] | None:
    handle.seek(0)
    try:
        written = json.loads(handle.read())
    except ValueError:
        return None
    return written if isinstance(written, dict) else None


def _soon_written(handle: IO[str]) -> dict[str, Any]:
    """What a holder writes right after it locked the file; nothing if that takes too long."""
    for _ in range(_READS):
        time.sleep(_POLL_SECONDS / 4)
        written = _read(handle)
        if written:
            return written
    return {}


def _lock(handle: IO[str]) -> bool | None:
    """Whether the file is locked by this process now; None where nothing can be locked (Windows,
    and some disks): there the heartbeat alone decides."""
    try:
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except (ImportError, OSError):
        return None
    return True


_ASKS = sys.platform == "linux" and struct.calcsize("P") == 8
_RECORD = struct.Struct("hhqqi4x")  # struct flock there: kind, whence, start, length, pid


def _is_free(handle: IO[str]) -> bool | None:
    """Whether nobody has the lock, without taking it; None where that cannot be asked."""
    import fcntl

    wanted = _RECORD.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        found = fcntl.fcntl(handle, fcntl.F_GETLK, wanted)
    except OSError:
        return None
    return bool(_RECORD.unpack(found)[0] == fcntl.F_UNLCK)


def _unlock(handle: IO[str]) -> None:
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_UN)


def _beat(hold: Hold, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            if hold.lasts():
                os.utime(hold.path)
