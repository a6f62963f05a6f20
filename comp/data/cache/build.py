"""Building a pack row by row, so that a kill at any point loses little and damages nothing.

    .build.<token>.part/rows      the payload of the rows so far
    .build.<token>.part/journal   a line per row, written only when its payload is on the disk

One process builds a pack at a time: it holds the lock of the folder, so that every other build
there was left by a process that is gone. That is taken over: its rows are compared with the sums
in its journal. The first row that does not match, or whose image file has changed, is made again,
and so are all after it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from comp.core import files, locks, progress
from comp.core.checksums import SHORT_DIGITS, row_sum, short_digest, short_file_digest
from comp.core.errors import CheckError, CompError, DataError, complain
from comp.core.files import UNKNOWN, FileState
from comp.core.parallel import cores, read_ahead
from comp.core.scratch import scratch_path
from comp.data.images.decode import read_content
from comp.data.index.sources import Source

T = TypeVar("T")
Pixels = np.ndarray[Any, Any]
LOCK = ".lock"  # of the folder of a pack

_BLOCK_BYTES = 4 << 20  # decoded at a time by one thread
_COMMIT_BYTES = 64 << 20  # written between two entries in the journal
_MARGIN = 16 << 20  # bytes of disk left over for the manifest and for others


@dataclass(frozen=True)
class Row:
    """What is known about a packed row: its file and its payload.

    `digest` of the content of the file; `end`: where the payload ends, counted from the end of the
    header; `total`: see `row_sum`; `stat`: see `comp.core.files.file_stat`.
    """

    digest: str
    end: int
    total: int
    stat: FileState = UNKNOWN

    def line(self) -> str:
        """As a line of the journal."""
        return f"{self.digest} {self.end} {self.total} {' '.join(map(str, self.stat))}\n"

    @staticmethod
    def parse(line: str) -> Row:
        """The row of a line; ValueError for a line that was cut."""
        digest, end, total, size, changed, state, number = line.split()
        if not line.endswith("\n") or len(digest) != SHORT_DIGITS:
            raise ValueError(line)
        stat = int(size), int(changed), int(state), int(number)
        return Row(digest, int(end), int(total), stat)


@dataclass(frozen=True)
class Origin:
    """Where rows come from.

    `stat`    row -> numbers that change when its file does; cheap. UNKNOWN: the digest decides
    `digest`  row -> the digest of its content
    `make`    row -> the digest of its content, and its payload; may raise DataError
    """

    stat: Callable[[int], FileState]
    digest: Callable[[int], str]
    make: Callable[[int], tuple[str, Pixels | bytes]]


def of_files(
    sources: Sequence[Source], payload: Callable[[list[bytes], int], Pixels | bytes]
) -> Origin:
    """The origin of rows made from the contents of files. payload: contents, row -> row."""

    def make(row: int) -> tuple[str, Pixels | bytes]:
        source = sources[row]
        contents = [read_content(path) for path in source.files]
        try:
            return source.digest([*map(short_digest, contents)]), payload(contents, row)
        except DataError as problem:
            raise DataError(f"{source.name}: {problem}") from problem

    def stat(row: int) -> FileState:
        source = sources[row]
        return files.settled(files.file_stat(source.files[0])) if source.simple else UNKNOWN

    return Origin(
        stat,
        lambda row: sources[row].digest([*map(short_file_digest, sources[row].files)]),
        make,
    )


@dataclass
class Build:
    """A pack of `ids` that is being written, to be moved to `final`, by the process that has `hold`
    of its folder. `name`: of its rows."""

    final: Path
    ids: Sequence[str]
    origin: Origin
    header: bytes
    needed: int  # bytes of the whole payload
    name: str = "images"
    hold: locks.Hold | None = None
    rows: list[Row] = field(default_factory=list)

    def run(self) -> tuple[Path, list[Row]]:
        """The finished payload file, on the disk, and its rows.

        Raises DataError with every image that cannot be read, CompError when the cache cannot be
        written or the disk is too full. What is written so far is kept for the next try.
        """
        try:
            part = scratch_path(self.folder / "build", "part")
            self._take_over(part)
            _require_space(self.folder, self.needed - self._end())
            self._write(part)
        except OSError as problem:
            if problem.errno == errno.ENOSPC:
                _require_space(self.folder, self.needed - self._end(), full=True)
            cause = problem.strerror or problem
            raise CompError(f"{self.folder}: cannot be written ({cause})") from problem
        return part / "rows", self.rows

    @property
    def folder(self) -> Path:
        return self.final.parent

    def _end(self) -> int:
        return self.rows[-1].end if self.rows else 0

    def _take_over(self, part: Path) -> None:
        """Continue the build here that is furthest; remove what other dead processes left."""
        files.sweep(self.folder, alone=True)
        for left in sorted(self.folder.glob(".build.*.part"), key=_progress, reverse=True):
            if part.exists():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.replace(part)
        part.mkdir(exist_ok=True)
        if (part / "journal").is_file() and not (part / "rows").exists():
            with contextlib.suppress(FileNotFoundError):  # moved, and then no manifest was written
                self.final.replace(part / "rows")
        self.rows = self._sound_rows(part)
        if self.rows:
            done = f"{len(self.rows)} of {len(self.ids)} {self.name}"
            progress.say(f"packing continues: {done} are done")

    def _sound_rows(self, part: Path) -> list[Row]:
        """The rows of a build before the first that is damaged or of a changed file."""
        try:
            lines = (part / "journal").read_text(encoding="ascii").splitlines(keepends=True)
            handle = (part / "rows").open("rb")
        except (OSError, ValueError):
            return []
        sound: list[Row] = []
        with handle:
            if handle.read(len(self.header)) != self.header:
                return []
            for place, line in enumerate(lines[: len(self.ids)]):
                with contextlib.suppress(ValueError):
                    row = Row.parse(line)
                    before = sound[-1].end if sound else 0
                    payload = handle.read(row.end - before) if row.end > before else b""
                    whole = len(payload) == row.end - before > 0
                    of = self.origin
                    known = row.stat == of.stat(place) != UNKNOWN
                    same = known or row.digest == of.digest(place)
                    if whole and row_sum(payload) == row.total and same:
                        sound.append(row)
                        continue
                break
        return sound

    def _write(self, part: Path) -> None:
        complaints: list[str] = []
        names = self.ids[len(self.rows) :]
        with (part / "rows").open("ab") as payloads, (part / "journal").open("ab") as journal:
            self._rewind(payloads, journal)
            made = self._made(range(len(self.rows), len(self.ids)))
            made = progress.track(made, len(names), f"packing {self.name}")
            since = payloads.tell()
            for name, row in zip(names, made, strict=True):
                if isinstance(row, CheckError):
                    complaints.append(f"{name!r}: {row}")
                elif not complaints:
                    self._add(row, payloads)
                if payloads.tell() - since >= _COMMIT_BYTES:
                    since = self._commit(payloads, journal)
            self._commit(payloads, journal)
        heading = f"{len(complaints)} of {len(self.ids)} {self.name} cannot be read:"
        complain(DataError, heading, complaints)

    def _rewind(self, payloads: Any, journal: Any) -> None:
        """Cut both files after the last sound row."""
        payloads.truncate(0 if not self.rows else len(self.header) + self._end())
        journal.truncate(sum(len(row.line()) for row in self.rows))
        if not self.rows:
            payloads.write(self.header)
        self._committed = len(self.rows)

    def _add(self, made: tuple[str, FileState, int, Any], payloads: Any) -> None:
        digest, stat, total, payload = made
        view = memoryview(payload).cast("B")
        payloads.write(view)
        self.rows.append(Row(digest, self._end() + len(view), total, stat))

    def _commit(self, payloads: Any, journal: Any) -> int:
        """Sync the payload first, then its lines in the journal; where the payload ends.

        Raises HeldError when another process has taken the build over."""
        if self.hold is not None:
            self.hold.check()
        for handle in (payloads, journal):
            if handle is journal:
                lines = [row.line() for row in self.rows[self._committed :]]
                journal.write("".join(lines).encode("ascii"))
            handle.flush()
            os.fsync(handle.fileno())
        self._committed = len(self.rows)
        return int(payloads.tell())

    def _made(self, places: range) -> Iterator[Any]:
        """The payload of each row, in order, or the error of one that cannot be read."""

        def block(some: range) -> list[Any]:
            return [self._make(place) for place in some]

        average = max(1, self.needed // max(1, len(self.ids)))
        count = max(1, min(16, _BLOCK_BYTES // average))
        blocks = (places[start : start + count] for start in range(0, len(places), count))
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # our threads are one per core already
        try:
            for rows in read_ahead(block, blocks, cores()):
                yield from rows
        finally:
            cv2.setNumThreads(threads)

    def _make(self, place: int) -> tuple[str, FileState, int, Any] | CheckError:
        try:
            stat = self.origin.stat(place)
            digest, payload = self.origin.make(place)
        except CheckError as problem:
            return problem
        return digest, stat, row_sum(payload), payload


def _progress(part: Path) -> int:
    """How far a build is: the length of its journal."""
    return files.file_stat(part / "journal")[0]


def sweep_moved(folder: Path) -> None:
    """Remove from `folder`, which holds a whole pack, builds whose rows became that pack: their
    process died between writing the manifest and removing them. So may its lock be left."""
    moved = [left for left in folder.glob(".build.*.part") if not (left / "rows").exists()]
    if not moved and not (folder / LOCK).exists():
        return
    with contextlib.suppress(CompError), locks.writing(folder, name=LOCK, keep=False):
        for left in moved:
            if not (left / "rows").exists():
                shutil.rmtree(left, ignore_errors=True)


def _require_space(folder: Path, needed: int, *, full: bool = False) -> None:
    """CompError when the disk of `folder` has too little space, or is known to be `full`."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if full or free < needed + _MARGIN:
        raise CompError(
            f"{folder}: the packed images need {needed / 1e6:,.0f} MB, the disk has "
            f"{free / 1e6:,.0f} MB free. Make room, choose a smaller image.size, set image.pack to "
            "encoded or none, or run `comp` in a folder on another disk"
        )
