"""Unreadable images that are set aside by `comp check --bad skip`: `folds/<name>.skip.csv`.

Its columns are id, part ("train" or "test") and reason. Training ignores these images; a grey image
stands for one of the test set.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from comp.core import files, progress
from comp.core.errors import DataError, complain, first
from comp.data.index.index import Index
from comp.data.index.tables import read_table, write_table


@dataclass(frozen=True)
class Skipped:
    """Unreadable images that are set aside: id -> reason, of the training and of the test set."""

    train: dict[str, str]
    test: dict[str, str]


def write_skipped(path: Path, skipped: Skipped) -> None:
    """Write the list of images that are set aside; no file when there are none."""
    rows = [(name, "train", why) for name, why in sorted(skipped.train.items())]
    rows += [(name, "test", why) for name, why in sorted(skipped.test.items())]
    if rows:
        write_table(path, ("id", "part", "reason"), rows)
    else:
        path.unlink(missing_ok=True)


def read_skipped(path: Path) -> Skipped:
    """The images that are set aside; none where there is no such file."""
    if not path.is_file():
        return Skipped({}, {})
    table = read_table(path)
    rows = [*zip(*(table.column(name) for name in ("id", "part", "reason")), strict=True)]
    parts = {
        part: {name: why for name, of, why in rows if of == part} for part in ("train", "test")
    }
    other = [name for name, of, _ in rows if of not in parts]
    complain(DataError, f"{path}:", [f"part is neither train nor test: {n!r}" for n in other])
    return Skipped(**parts)


def without(index: Index, skipped: Iterable[str], path: Path) -> Index:
    """The index without these ids; DataError when a class loses its last image."""
    away = {*skipped} & {*index.ids}
    if not away:
        return index
    keep = np.array([name not in away for name in index.ids])
    left = index.part(np.flatnonzero(keep))
    had, has = (part.cells for part in (index, left))
    gone = (
        []
        if index.measured
        else [
            name
            for name, a, b in zip(index.classes, had.sum(0), has.sum(0), strict=True)
            if a > b == 0
        ]
    )
    if gone or not len(left):
        raise DataError(
            f"{path}: without the {len(away)} images that it sets aside, the classes {first(gone)} "
            "have none left. Repair the files, or remove the class from the data"
        )
    progress.say(f"{len(away)} training images are set aside ({path}): {first(sorted(away))}")
    return left


def grey_image(cache: Path, channels: int = 3) -> Path:
    """The image that stands for one that cannot be read: mid-grey, in `cache`."""
    if channels not in (1, 3):  # else a picture is one
        path = cache / f"grey_{channels}.npy"
        if not path.is_file():
            out = io.BytesIO()
            np.save(out, np.full((16, 16, channels), 128, np.uint8))
            files.write_bytes(path, out.getvalue())
        return path
    path = cache / "grey.png"
    if not path.is_file():
        files.write_bytes(
            path, cv2.imencode(".png", np.full((8, 8, 3), 128, np.uint8))[1].tobytes()
        )
    return path
