"""Probabilities with their ids and their origin. Rows are joined by id, never by position."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums, files
from comp.core.errors import PredictionsError, first, repeated

Array = np.ndarray[Any, Any]

_PROBS, _IDS, _MANIFEST = "probs.npy", "ids.txt", "manifest.json"
_SUM_TOLERANCE = 1e-3
_STEPS = 255  # steps of a probability that is saved as a byte
_MAPS = 16  # rows of maps that are checked
_CELLS = 1 << 22  # probabilities checked at once
_SETTLED = 2_000_000_000  # ns after which a change of a file changes its time


@dataclass(frozen=True)
class Predictions:
    """Probabilities of some images.

    `ids`      (N,) text, each once
    `probs`    (N, C) or (N, C, H, W), in [0, 1]; binary has C = 1, the probability of `classes[1]`.
               uint8 means 255ths: maps of probabilities are saved so. Numbers of a regression
               may have any finite value
    `classes`  the names of the columns, in their order (binary: of both classes)
    `link`     "sigmoid", "softmax" or "identity"; rows of the second sum to 1
    `source`   their origin: plan fingerprint, fold, checkpoint digest, TTA, ...

    Raises PredictionsError for repeated ids, NaN, values outside [0, 1], a wrong C, and rows of a
    softmax that do not sum to 1.
    """

    ids: tuple[str, ...]
    probs: Any  # an array, a memory map, or an object used like one
    classes: tuple[str, ...]
    link: str
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = self.source.get("path", "predictions")
        if len(self.ids) != len(self.probs):
            raise PredictionsError(f"{where}: {len(self.ids)} ids for {len(self.probs)} rows")
        _refuse_repeated(self.ids, where)
        columns = self.probs.shape[1] if self.probs.ndim >= 2 else 0
        binary = columns == 1 and len(self.classes) == 2 and self.link == "sigmoid"
        if columns != len(self.classes) and not binary:
            raise PredictionsError(
                f"{where}: probabilities of shape {self.probs.shape} for {len(self.classes)} "
                f"classes ({first(self.classes)})"
            )
        self._check_values(where)

    def _check_values(self, where: str) -> None:
        """Check rows in chunks: probabilities may be larger than the memory. Of maps only a sample
        is checked: they were checked when they were made, and reading compares their digest."""
        if self.probs.ndim > 2:
            self._check_maps(where)
            return
        wrong: list[int] = []
        off: list[int] = []
        step = max(1, _CELLS // max(1, int(np.prod(self.probs.shape[1:]))))
        for begin in range(0, len(self.probs), step):
            part = np.asarray(self.probs[begin : begin + step])
            flat = part.reshape(len(part), -1)
            inside = (flat >= 0).all(axis=1) & (flat <= 1).all(axis=1)  # NaN is neither
            if self.link == "identity":
                inside = np.isfinite(flat).all(axis=1)
            wrong += (np.flatnonzero(~inside) + begin).tolist()
            if self.link == "softmax":
                miss = np.abs(part.sum(axis=1, dtype=np.float64) - 1).reshape(len(part), -1)
                off += (np.flatnonzero(miss.max(axis=1) > _SUM_TOLERANCE) + begin).tolist()
        bad = "hold NaN or values outside [0, 1]"
        bad = "hold values that are not finite" if self.link == "identity" else bad
        for rows, what in ((wrong, bad), (off, "do not sum to 1")):
            if rows:
                ids = [self.ids[row] for row in rows[:6]]
                raise PredictionsError(f"{where}: {len(rows)} rows {what}: {first(ids)}")

    def _check_maps(self, where: str) -> None:
        rows = np.linspace(0, len(self.ids) - 1, min(_MAPS, len(self.ids))).astype(int)
        for row in dict.fromkeys(rows.tolist()):
            one = np.asarray(self.probs[row])
            steps = _STEPS if one.dtype == np.uint8 else 1
            inside = bool((one >= 0).all() and (one <= steps).all())  # NaN is neither
            slack = len(one) if one.dtype == np.uint8 else 1e-2
            total = one.sum(axis=0, dtype=np.float64)
            summed = self.link != "softmax" or bool((np.abs(total - steps) <= slack).all())
            if not inside or not summed:
                what = "do not sum to 1" if inside else "hold NaN or values outside [0, 1]"
                raise PredictionsError(f"{where}: the maps of {self.ids[row]!r} {what}")

    def align(self, ids: Sequence[str]) -> Predictions:
        """The same probabilities in the order of `ids`; PredictionsError names what is missing."""
        if tuple(ids) == self.ids:
            return self
        place = {name: row for row, name in enumerate(self.ids)}
        missing = [name for name in ids if name not in place]
        if missing:
            raise PredictionsError(
                f"{self.source.get('path', 'predictions')}: no row for {len(missing)} ids: "
                f"{first(missing)}"
            )
        rows = np.fromiter((place[name] for name in ids), dtype=np.int64, count=len(ids))
        probs = Stacked([self.probs], rows) if self.probs.ndim > 2 else self.probs[rows]
        return Predictions(tuple(ids), probs, self.classes, self.link, self.source)

    def save(self, folder: Path) -> None:
        """Write the probabilities, the ids, and last the manifest, which makes them whole."""
        kept = self.probs if self.probs.dtype == np.uint8 else self.probs.astype(np.float32)
        save_pieces(folder, self.ids, [kept], self.classes, self.link, self.source)

    @staticmethod
    def load(folder: Path) -> Predictions:
        """The predictions in `folder`; the probabilities stay on the disk as a memmap.

        Raises PredictionsError where the manifest is missing or the files are not those that it
        describes.
        """
        manifest = files.read_json(folder / _MANIFEST, PredictionsError)
        again = f"Remove {folder} and run the command again."
        try:
            if file_digest(folder / _PROBS) != manifest["probs_sha256"]:
                raise PredictionsError(f"{folder / _PROBS}: damaged. {again}")
            ids = _shared(tuple((folder / _IDS).read_text(encoding="utf-8").split("\n")[:-1]))
            if checksums.digest_lines(ids) != manifest["ids_sha256"]:
                raise PredictionsError(f"{folder / _IDS}: damaged. {again}")
            probs = np.load(folder / _PROBS, mmap_mode="r", allow_pickle=False)
            classes, link = tuple(manifest["classes"]), manifest["link"]
            source = {**manifest["source"], "path": str(folder)}
        except (OSError, ValueError, KeyError) as problem:
            raise PredictionsError(f"{folder}: not whole ({problem}). {again}") from problem
        return Predictions(ids, probs, classes, link, source)


def save_pieces(
    folder: Path,
    ids: Sequence[str],
    pieces: Iterable[Array],
    classes: Sequence[str],
    link: str,
    source: dict[str, Any],
    images: str = "",
) -> None:
    """Write predictions of which only a piece is in memory at a time, the manifest last.

    pieces: rows in the order of the ids, all of one dtype; each is checked as Predictions are.
    images: a digest of the content of the image files; "" where it is not known.
    Raises PredictionsError for what `Predictions` refuses, and when there are more or fewer rows
    than ids; what was in the folder is then unchanged.
    """
    _refuse_repeated(ids, str(folder))
    total = hashlib.sha256()
    with files.replacing(folder / _PROBS) as beside:
        with beside.open("wb") as out:
            for chunk in _npy_chunks(ids, _checked(ids, pieces, classes, link)):
                total.update(chunk)
                out.write(chunk)
        files.remove(folder / _MANIFEST)
    files.write_text(folder / _IDS, "".join(f"{name}\n" for name in ids))
    manifest = {
        "rows": len(ids),
        "classes": list(classes),
        "link": link,
        "source": {k: v for k, v in source.items() if k != "path"},
        "images": images,
        "probs_sha256": total.hexdigest(),
        "ids_sha256": checksums.digest_lines(ids),
    }
    files.write_json(folder / _MANIFEST, manifest)


def _checked(
    ids: Sequence[str], pieces: Iterable[Array], classes: Sequence[str], link: str
) -> Iterator[Array]:
    """The same pieces, each checked; together they must have a row for each id."""
    done = 0
    for piece in pieces:
        some = tuple(ids[done : done + len(piece)])
        yield np.asarray(Predictions(some, piece, tuple(classes), link).probs)
        done += len(piece)
    if done != len(ids):
        raise PredictionsError(f"predictions: {len(ids)} ids for {done} rows")


def _npy_chunks(ids: Sequence[str], pieces: Iterator[Array]) -> Iterator[bytes]:
    """The bytes of a .npy with the rows of all pieces."""
    head = next(pieces)
    header = io.BytesIO()
    about = np.lib.format.header_data_from_array_1_0(head[:0])
    shape = (len(ids), *head.shape[1:])
    np.lib.format.write_array_header_1_0(header, {**about, "shape": shape})
    yield header.getvalue()
    for piece in itertools.chain([head], pieces):
        yield np.ascontiguousarray(piece).tobytes()


def _refuse_repeated(ids: Sequence[str], where: str) -> None:
    again = repeated(ids) if len(set(ids)) != len(ids) else []
    if again:
        raise PredictionsError(f"{where}: repeated ids: {first(again)}")


class Stacked:
    """Rows of several arrays, in a given order, each read when it is used.

    rows: (N,) row numbers, counted through all arrays.
    """

    def __init__(self, parts: Sequence[Any], rows: np.ndarray[Any, Any]) -> None:
        self.parts, self.rows = list(parts), np.asarray(rows, dtype=np.int64)
        self.ends = np.cumsum([len(part) for part in parts])
        self.shape = (len(self.rows), *parts[0].shape[1:])
        self.dtype, self.ndim = parts[0].dtype, parts[0].ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> np.ndarray[Any, Any]:
        if isinstance(which, (int, np.integer)):
            row = int(self.rows[which])
            part = int(np.searchsorted(self.ends, row, side="right"))
            return np.asarray(self.parts[part][row - (int(self.ends[part - 1]) if part else 0)])
        places = np.arange(len(self))[which]
        if not len(places):
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        return np.stack([self[int(place)] for place in places])


def file_digest(path: Path) -> str:
    """The digest of a file, computed once per process while the file does not change: maps are
    gigabytes, and a command opens them more than once. (A file that has just been written may
    change again without a change of its time.)"""
    state = path.stat()
    if time.time_ns() - state.st_mtime_ns < _SETTLED:
        return checksums.digest_file(path)
    return _known_digest(path.resolve(), *files.file_stat(path))


@functools.lru_cache(maxsize=1024)
def _known_digest(path: Path, *_state: int) -> str:
    return checksums.digest_file(path)


@functools.lru_cache(maxsize=4)
def _shared(ids: tuple[str, ...]) -> tuple[str, ...]:
    """One tuple for all equal tuples: the members of an ensemble share a million test ids."""
    return ids


def join(parts: Sequence[Predictions]) -> Predictions:
    """The rows of several predictions together, sorted by id.

    Raises PredictionsError when an id is in two parts, or when classes or links differ.
    """
    if not parts:
        raise PredictionsError("nothing to join: no predictions")
    head = parts[0]
    for part in parts[1:]:
        if (part.classes, part.link) != (head.classes, head.link):
            raise PredictionsError(
                f"{part.source.get('path', 'predictions')}: classes {first(part.classes)} "
                f"({part.link}) do not match {first(head.classes)} ({head.link})"
            )
    ids = [name for part in parts for name in part.ids]
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    probs: Any = Stacked([part.probs for part in parts], order)
    if head.probs.ndim == 2:
        probs = np.concatenate([np.asarray(part.probs) for part in parts])[order]
    return Predictions(
        tuple(ids[row] for row in order), probs, head.classes, head.link, head.source
    )
