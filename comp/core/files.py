"""Files that are either old or new, never something between.

Everything that a stage writes is written beside its final name, flushed to the disk and renamed
over it. A crash leaves a `.name.<pid>.tmp` at most, which `sweep` removes.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comp.core.errors import CheckError, CompError, unreadable

_LARGE = 16 << 20  # bytes from which freeing a file is left to a thread
_freeing: list[threading.Thread] = []


@contextlib.contextmanager
def replacing(path: Path, *, old: Path | None = None) -> Iterator[Path]:
    """A temporary path beside `path`; it takes the place of `path` when the block ends well.

    The content is on the disk (fsync of the file, then of the folder) before this returns. When
    the block raises, `path` is as it was and the temporary file is gone.
    old: where what was `path` is moved, once the new content is safe; for an instant, and after a
    crash or an error in it, there is `old` and no `path`. The file that was `old` is removed; a
    large one in the background, under the name of a temporary file.
    Raises CompError when the folder cannot be written or the disk is full.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while _freeing:
            _freeing.pop().join()  # never more than three generations on the disk
        yield beside
        sync(beside)
        if old is not None and path.exists():
            _retire(old)
            path.replace(old)
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as problem:
        raise CompError(f"{path}: cannot be written ({problem.strerror or problem})") from problem
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _retire(old: Path) -> None:
    """Move a large file out of the way: freeing 200 MB takes as long as writing them."""
    if not old.is_file() or old.stat().st_size < _LARGE:
        return
    dying = old.with_name(f".{old.name}.{os.getpid()}.tmp")
    old.replace(dying)
    _freeing.append(threading.Thread(target=_free, args=(dying,)))
    _freeing[-1].start()


def _free(path: Path) -> None:
    with contextlib.suppress(OSError):  # the next start sweeps it
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is journalled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """`content` as the whole of `path`, or no change at all."""
    with replacing(path) as beside:
        beside.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """`text` as UTF-8 with the newlines that it has."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`value` as indented JSON with a newline at the end; keys keep their order."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, error: type[CompError] = CheckError) -> dict[str, Any]:
    """The JSON object in `path`; `error` when it is missing, torn or not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{path}: {unreadable(problem)}") from problem
    except ValueError as problem:
        raise error(f"{path}: not readable as JSON ({problem})") from problem
    if not isinstance(value, dict):
        raise error(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def sweep(folder: Path, *, alone: bool = False) -> list[Path]:
    """Remove the temporary files of writers that died in `folder`; the paths that were removed.

    alone: nobody else writes here (the caller holds the folder's lock). Then a process that now
    happens to have the number of a dead writer, as is common in containers, protects nothing.
    """
    if not folder.is_dir():
        return []
    orphans = [path for path in folder.glob(".*.tmp") if alone or not alive(path)]
    for path in orphans:
        remove(path)
    return orphans


def remove(path: Path) -> None:
    """Remove a file that may be missing; CompError when that is not allowed or fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise CompError(f"{path}: cannot be removed ({problem.strerror or problem})") from problem


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file, below what may be half a line; CompError when that fails."""
    try:
        with path.open("ab+") as handle:
            if handle.tell():
                handle.seek(-1, os.SEEK_END)
                line = line if handle.read(1) == b"\n" else f"\n{line}"
            handle.write(f"{line}\n".encode())
    except OSError as problem:
        raise CompError(f"{path}: cannot be written ({problem.strerror or problem})") from problem


def alive(path: Path) -> bool:
    """Whether the process in the name of a temporary file still runs on this machine."""
    pid = path.name.split(".")[-2]
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def file_stat(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in ns of a file; zeros where it cannot be looked at."""
    try:
        state = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, 50,000 times
    except (OSError, ValueError):
        return 0, 0
    return state.st_size, state.st_mtime_ns
