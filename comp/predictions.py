"""Probabilities with their ids, and where they came from. Rows are joined by id, never by place."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from comp import files
from comp.errors import PredictionsError, first

_PROBS, _IDS, _MANIFEST = "probs.npy", "ids.txt", "manifest.json"
_SUM_TOLERANCE = 1e-3
_STEPS = 255  # of a probability that is kept in a byte
_CELLS = 1 << 22  # probabilities checked at once


@dataclass(frozen=True)
class Predictions:
    """Probabilities of some images.

    `ids`      (N,) text, each once
    `probs`    (N, C) or (N, C, H, W), in [0, 1]; binary has C = 1, the probability of `classes[1]`.
               uint8 stands for 255ths: maps of probabilities are kept so
    `classes`  the names of the columns, in their order (binary: of both classes)
    `link`     "sigmoid" or "softmax"; rows of the latter sum to 1
    `source`   where they came from: plan fingerprint, fold, checkpoint digest, TTA, ...

    Raises PredictionsError for repeated ids, NaN, values outside [0, 1], a wrong C, and rows of a
    softmax that do not sum to 1.
    """

    ids: tuple[str, ...]
    probs: np.ndarray[Any, Any]
    classes: tuple[str, ...]
    link: str
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = self.source.get("path", "predictions")
        if len(self.ids) != len(self.probs):
            raise PredictionsError(f"{where}: {len(self.ids)} ids for {len(self.probs)} rows")
        if len(set(self.ids)) != len(self.ids):
            seen: set[str] = set()
            repeated = [i for i in self.ids if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
            raise PredictionsError(f"{where}: repeated ids: {first(repeated)}")
        columns = self.probs.shape[1] if self.probs.ndim >= 2 else 0
        binary = columns == 1 and len(self.classes) == 2 and self.link == "sigmoid"
        if columns != len(self.classes) and not binary:
            raise PredictionsError(
                f"{where}: probabilities of shape {self.probs.shape} for {len(self.classes)} "
                f"classes ({first(self.classes)})"
            )
        self._check_values(where)

    def _check_values(self, where: str) -> None:
        """Over the rows in chunks: probabilities may be larger than the memory."""
        wrong: list[int] = []
        off: list[int] = []
        step = max(1, _CELLS // max(1, int(np.prod(self.probs.shape[1:]))))
        for begin in range(0, len(self.probs), step):
            part = np.asarray(self.probs[begin : begin + step])
            if part.dtype == np.uint8:
                miss = np.abs(part.sum(axis=1, dtype=np.int32) - _STEPS)
                wide = self.link == "softmax" and miss.max(axis=(1, 2), initial=0) > part.shape[1]
                off += (np.flatnonzero(wide) + begin).tolist()
                continue
            flat = part.reshape(len(part), -1)
            inside = (flat >= 0).all(axis=1) & (flat <= 1).all(axis=1)  # NaN is neither
            wrong += (np.flatnonzero(~inside) + begin).tolist()
            if self.link == "softmax":
                miss = np.abs(part.sum(axis=1, dtype=np.float64) - 1).reshape(len(part), -1)
                off += (np.flatnonzero(miss.max(axis=1) > _SUM_TOLERANCE) + begin).tolist()
        for rows, what in ((wrong, "hold NaN or values outside [0, 1]"), (off, "do not sum to 1")):
            if rows:
                ids = [self.ids[row] for row in rows[:6]]
                raise PredictionsError(f"{where}: {len(rows)} rows {what}: {first(ids)}")

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
        return Predictions(tuple(ids), self.probs[rows], self.classes, self.link, self.source)

    def save(self, folder: Path) -> None:
        """Write the probabilities, the ids, and the manifest last, which makes them whole."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(self.probs, dtype=np.float32), allow_pickle=False)
        files.remove(folder / _MANIFEST)
        files.write_bytes(folder / _PROBS, buffer.getvalue())
        files.write_text(folder / _IDS, "".join(f"{name}\n" for name in self.ids))
        manifest = {
            "rows": len(self.ids),
            "classes": list(self.classes),
            "link": self.link,
            "source": {k: v for k, v in self.source.items() if k != "path"},
            "probs_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
            "ids_sha256": files.digest_lines(self.ids),
        }
        files.write_json(folder / _MANIFEST, manifest)

    @staticmethod
    def load(folder: Path) -> Predictions:
        """The predictions in `folder`; the probabilities stay on the disk as a memmap.

        Raises PredictionsError where the manifest is missing or the files are not those that it
        describes.
        """
        manifest = files.read_json(folder / _MANIFEST, PredictionsError)
        again = f"Remove {folder} and run the command again."
        try:
            if files.digest_file(folder / _PROBS) != manifest["probs_sha256"]:
                raise PredictionsError(f"{folder / _PROBS}: damaged. {again}")
            ids = _shared(tuple((folder / _IDS).read_text(encoding="utf-8").split("\n")[:-1]))
            if files.digest_lines(ids) != manifest["ids_sha256"]:
                raise PredictionsError(f"{folder / _IDS}: damaged. {again}")
            probs = np.load(folder / _PROBS, mmap_mode="r", allow_pickle=False)
            classes, link = tuple(manifest["classes"]), manifest["link"]
            source = {**manifest["source"], "path": str(folder)}
        except (OSError, ValueError, KeyError) as problem:
            raise PredictionsError(f"{folder}: not whole ({problem}). {again}") from problem
        return Predictions(ids, probs, classes, link, source)


@functools.lru_cache(maxsize=4)
def _shared(ids: tuple[str, ...]) -> tuple[str, ...]:
    """One tuple for all equal ones: the members of an ensemble have the same million test ids."""
    return ids


def join(parts: Sequence[Predictions]) -> Predictions:
    """Rows of several predictions under each other, sorted by id.

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
    probs = np.concatenate([np.asarray(part.probs) for part in parts])
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return Predictions(
        tuple(ids[row] for row in order), probs[order], head.classes, head.link, head.source
    )
