# (it stands in for what pathlib calls)
"""Numbers every file operation below a folder, and lets one of them fail.

Counted are: opening for writing, each write that reaches the operating system, truncate, fsync,
replace, unlink, mkdir and rmdir. A kind of fault says what the n-th of them does.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = ("kill", "power", "short", "enospc", "eio")
_NEEDS_ROOM = ("open", "write", "mkdir", "fsync")
# What is in the folder for temporary files may be left by a kill: the system clears it
_HARMLESS = ("/dev/null", "/dev/shm", "/proc/", tempfile.gettempdir() + os.sep)


class Shim:
    """The operations of one process so far, and the fault that waits at operation `at`."""

    def __init__(self, root: Path, report: int, kind: str | None, at: int) -> None:
        self.root, self.report, self.kind, self.at = str(root), report, kind, at
        self.count = 0
        self.dirty: set[str] = set()  # files whose content may not be on the disk yet
        self.replace, self.unlink, self.fsync = os.replace, os.unlink, os.fsync
        self.open = builtins.open

    def inside(self, path: str) -> bool:
        return os.path.abspath(path).startswith(self.root + os.sep)

    def tell(self, *words: object) -> None:
        os.write(self.report, (" ".join(map(str, words)) + "\n").encode())

    def step(self, operation: str, path: str) -> bool:
        """Count an operation and let it fail if it is its turn; True: write only a half."""
        path = os.path.abspath(path)
        if not self.inside(path):
            there = operation == "mkdir" and os.path.isdir(path)  # asked for, not made
            if not path.startswith(_HARMLESS) and not there:
                self.tell("outside", operation, path)
            return False
        self.count += 1
        self.tell("op", operation, path)
        if self.kind == "read-only" and f"{os.sep}runs{os.sep}" in path:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        full = self.kind == "enospc" and self.count >= self.at and operation in _NEEDS_ROOM
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if self.kind is None or self.count != self.at:
            return False
        if self.kind == "eio":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        if self.kind == "short" and operation == "write":
            return True
        if self.kind != "enospc":
            self.die()
        return False

    def die(self) -> None:
        """The process is gone; after a power cut, so is half of what was not synced."""
        if self.kind == "power":
            for path in self.dirty:
                if os.path.exists(path):
                    os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)


class _Raw(io.FileIO):
    shim: Shim

    def write(self, content: Any) -> int:
        path = os.path.abspath(str(self.name))
        half = self.shim.step("write", path)
        self.shim.dirty.add(path)
        if half:
            super().write(memoryview(content)[: len(content) // 2])
            self.shim.die()
        return super().write(content)

    def truncate(self, size: int | None = None) -> int:
        self.shim.step("truncate", str(self.name))
        return super().truncate(size)


def install(shim: Shim) -> None:
    """Put the shim between this process and its files."""
    _Raw.shim = shim

    def opened(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        writes = set(mode) & set("wax+")
        if isinstance(file, int) or not writes:
            return shim.open(file, mode, buffering, encoding, errors, newline, *rest, **more)
        path = os.fspath(file)
        shim.step("open", path)
        if not shim.inside(path) or more.get("opener"):  # such as a file without a name
            return shim.open(file, mode, buffering, encoding, errors, newline, *rest, **more)
        raw = _Raw(path, mode.replace("b", "").replace("t", ""))
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def replaced(source: Any, target: Any, **more: Any) -> None:
        shim.step("replace", os.fspath(target))
        shim.replace(source, target, **more)
        before, after = os.path.abspath(source), os.path.abspath(target)
        shim.dirty = {after if path == before else path for path in shim.dirty - {after}}

    def synced(handle: int) -> None:
        path = os.readlink(f"/proc/self/fd/{handle}")
        shim.step("fsync", path)
        shim.fsync(handle)
        shim.dirty.discard(path)

    builtins.open = io.open = opened  # type: ignore[assignment]
    os.replace = os.rename = replaced  # type: ignore[assignment]
    os.fsync = synced  # type: ignore[assignment]
    for name in ("unlink", "mkdir", "rmdir"):
        setattr(os, name, _counted(shim, name, getattr(os, name)))


def _counted(shim: Shim, name: str, real: Callable[..., None]) -> Callable[..., None]:
    def call(path: Any, *rest: Any, dir_fd: int | None = None, **more: Any) -> None:
        if dir_fd is None:
            shim.step(name, os.fspath(path))
            real(path, *rest, **more)
            return
        shim.step(name, os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), os.fspath(path)))
        real(path, *rest, dir_fd=dir_fd, **more)

    return call
