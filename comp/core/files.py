"""Files that are either old or new, never something between.

Everything that a stage writes is written beside its final name, flushed to the disk and renamed
over it. A crash leaves a temporary file at most (see `comp.core.scratch`), which `sweep` removes.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comp.core.errors import CheckError, CompError, UsageError, unreadable
from comp.core.scratch import discard, held, scratch_path

FileState = tuple[int, int, int, int]
UNKNOWN: FileState = (0, 0, 0, 0)  # the state of a file that cannot be looked at

_LARGE = 16 << 20  # bytes from which freeing a file is left to a thread
_SETTLED = 2_000_000_000  # ns after which a change of a file changes its times
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
    beside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while _freeing:
            _freeing.pop().join()  # never more than three generations on the disk
        beside = scratch_path(path)
        with held(beside):
            yield beside
            sync(beside)
            if old is not None and path.exists():
                _retire(old)
                path.replace(old)
            beside.replace(path)
        _sync_folder(path.parent)
        _discard_left(path)
    except OSError as problem:
        raise CompError(f"{path}: cannot be written ({problem.strerror or problem})") from problem
    finally:
        with contextlib.suppress(OSError):
            if beside is not None:
                beside.unlink(missing_ok=True)


def _discard_left(path: Path) -> None:
    """Remove what writers of `path` that died left beside it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):  # it costs nothing but its space
            discard(left)


def _retire(old: Path) -> None:
    """Move a large file out of the way: freeing 200 MB takes as long as writing them."""
    if not old.is_file() or old.stat().st_size < _LARGE:
        return
    dying = scratch_path(old)
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

    alone: nobody else writes here (the caller holds the folder's lock), so that all are orphans.
    """
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.glob(".*.tmp")) if _swept(path, alone)]


def _swept(path: Path, alone: bool) -> bool:
    try:
        return discard(path, alone=alone)
    except OSError as problem:
        raise CompError(f"{path}: cannot be removed ({problem.strerror or problem})") from problem


def remove(path: Path) -> None:
    """Remove a file that may be missing; CompError when that is not allowed or fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise CompError(f"{path}: cannot be removed ({problem.strerror or problem})") from problem


def refuse_twin(path: Path) -> None:
    """Raise UsageError for a new name that is there in other letters, `X` beside `x`: on Windows
    and macOS they are one file."""
    names = {other.name for other in path.parent.iterdir()} if path.parent.is_dir() else set()
    twins = sorted(name for name in names if name.casefold() == path.name.casefold())
    if twins and path.name not in names:
        raise UsageError(
            f"{path}: {path.parent / twins[0]} is there, and on Windows and macOS the two are one "
            "file; write the name as there, or choose another"
        )


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


def file_stat(path: Path) -> FileState:
    """Size in bytes, time of change and time of change of the state in ns, and number (inode) of a
    file; zeros where it cannot be looked at. Nobody can set the second time, so that a file that is
    changed or replaced has another state; but so has a copy of it."""
    try:
        state = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, 50,000 times
    except (OSError, ValueError):
        return UNKNOWN
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def settled(state: FileState) -> FileState:
    """The state, to be noted; UNKNOWN for a file that changed just now: another change in the same
    tick of the clock would leave the state as it is."""
    return state if time.time_ns() - max(state[1:3]) > _SETTLED else UNKNOWN
