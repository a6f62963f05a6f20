"""What was found in mask files, noted in `data.cache`: reading them all takes time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files
from comp.core.errors import DataError, complain
from comp.core.known_digests import known_digests
from comp.core.parallel import cores, read_ahead
from comp.core.progress import track
from comp.data.masks.file_source import FileSource
from comp.data.masks.pictures import as_numbers, read_mask_file

_NOTES = "mask_values.json"
_FORMAT = 2  # of the notes about the values of a file


@dataclass(frozen=True)
class Values:
    """What the pixels of a mask file are: `numbers`, or `colours` with how many pixels have each
    (see `comp.data.masks.pictures.as_numbers`). One of them is empty."""

    numbers: tuple[int, ...] = ()
    colours: tuple[tuple[int, int], ...] = ()


def read_values(paths: Sequence[Path], complaints: list[str], cache: Path) -> dict[Path, Values]:
    """The values of the pixels of each file; complaints about those that cannot be read."""

    def look(path: Path) -> dict[str, Any]:
        try:
            pixels = read_mask_file(path)
        except DataError as problem:
            problems.append(str(problem))
            return {}
        if pixels.ndim == 2:
            return {"values": np.unique(pixels).tolist()}
        found = np.unique(as_numbers(pixels), return_counts=True)
        return {"colours": np.stack(found, axis=1).tolist()}

    problems: list[str] = []
    digests = known_digests(paths, cache)
    keys = [f"{_FORMAT} {path} {digest}" for path, digest in zip(paths, digests, strict=True)]
    found = _noted(keys, paths, look, cache / _NOTES)
    complaints += sorted(problems)[:10]
    return {
        path: Values(
            tuple(note.get("values", ())), tuple((c, n) for c, n in note.get("colours", ()))
        )
        for path, note in zip(paths, found, strict=True)
    }


def looked_at(sources: Sequence[FileSource], cache: Path) -> list[dict[str, Any]]:
    """`content`, the digest of the files of each source, and `pixels`, how many each class has.

    Raises DataError with every mask that cannot be read.
    """

    def look(source: FileSource) -> dict[str, Any]:
        try:
            mask = source.read()
            if source.form.layers == 1:
                pixels = np.bincount(mask.ravel(), minlength=256)[1 : source.form.classes + 1]
            else:
                pixels = (mask == 1).sum(axis=(0, 1))
            return {"content": source.contents(), "pixels": pixels.tolist()}
        except DataError as problem:
            problems.append(str(problem))
            return {}

    problems: list[str] = []
    paths = [path for source in sources for _, path in source.files]
    contents = dict(zip(paths, known_digests(paths, cache), strict=True))
    states = [source.state(contents) for source in sources]
    found = _noted(states, sources, look, cache / _NOTES)
    complain(DataError, f"{len(problems)} masks cannot be used:", sorted(problems))
    return found


def _noted(
    keys: Sequence[str], items: Sequence[Any], look: Callable[[Any], dict[str, Any]], path: Path
) -> list[dict[str, Any]]:
    """`look(item)` of each, which takes reading a file; what was seen before is noted in `path`
    and not looked at again. Nothing is noted of what could not be read."""
    notes: dict[str, Any] = {}
    with contextlib.suppress(DataError):  # none yet, or torn: then all is looked at again
        notes = files.read_json(path, DataError)
    missing = [place for place, key in enumerate(keys) if key not in notes]
    if missing:
        reading = read_ahead(lambda place: look(items[place]), missing, cores())
        looked = track(reading, len(missing), "reading masks")
        new = {keys[place]: found for place, found in zip(missing, looked, strict=True)}
        notes |= {key: found for key, found in new.items() if found}
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, notes)
    return [notes.get(key, {}) for key in keys]
