"""What many files hold, without reading again those that have not changed.

    cache/digests/<key>.txt    a digest of the rest; then a line per file: its state, its digest

The state of a file (`comp.core.files.file_stat`) holds what nobody can set, so a file that was
replaced by one of the same size and time is read. So is every file of a copied workspace, once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from comp.core import files
from comp.core.checksums import digest_lines, digest_text, short_file_digest
from comp.core.errors import CompError
from comp.core.files import UNKNOWN, FileState
from comp.core.parallel import cores, read_ahead
from comp.core.progress import track

FOLDER = "digests"  # below the cache
Noted = tuple[FileState, str]


def known_digests(paths: Sequence[Path], cache: Path) -> list[str]:
    """The `short_digest` of each file, in the order of `paths`; "missing" where it cannot be read.

    From the notes in `cache`, where the state of a file is the one that was noted.
    """
    noted = _read(_place(paths, cache), len(paths))
    states = [files.file_stat(path) for path in paths]
    doubtful = [
        place for place, state in enumerate(states) if state == UNKNOWN or noted[place][0] != state
    ]
    if not doubtful:
        return [digest for _, digest in noted]
    read = read_ahead(lambda place: short_file_digest(paths[place]), doubtful, cores())
    for place, digest in zip(doubtful, track(read, len(doubtful), "comparing files"), strict=True):
        noted[place] = files.settled(states[place]), digest
    _write(_place(paths, cache), noted)
    return [digest for _, digest in noted]


def note_digests(paths: Sequence[Path], noted: Sequence[Noted], cache: Path) -> None:
    """Note state and digest of each file, where they are known already: the state is the one
    before the file was read, and `settled`."""
    _write(_place(paths, cache), noted)


def _place(paths: Sequence[Path], cache: Path) -> Path:
    return cache / FOLDER / f"{digest_lines(map(str, paths))[:16]}.txt"


def _read(place: Path, count: int) -> list[Noted]:
    """What is noted; nothing is known where the notes are missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        seal, _, text = place.read_text(encoding="ascii").partition("\n")
        lines = text.splitlines()
        if seal == digest_text(text) and len(lines) == count:
            return [_parse(line) for line in lines]
    return [(UNKNOWN, "")] * count


def _parse(line: str) -> Noted:
    size, changed, state, number, digest = line.split()
    return (int(size), int(changed), int(state), int(number)), digest


def _write(place: Path, noted: Sequence[Noted]) -> None:
    text = "".join(f"{' '.join(map(str, state))} {digest}\n" for state, digest in noted)
    with contextlib.suppress(CompError):  # a cache that cannot be written: they are read again
        files.write_text(place, f"{digest_text(text)}\n{text}")
