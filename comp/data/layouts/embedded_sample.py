"""Competitions that `comp` can write itself, so that a fresh clone has something to work on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import CompError, pick
from comp.core.scratch import discard, held, scratch_path

_TEST_ROWS, _SPLIT_SEED = 360, 0
_SIDE = 32  # pixels; the originals have 8


def ensure_sample(data: DataConfig) -> None:
    """Write the sample `data.make` to `data.root` when that folder is absent or empty.

    It is built in a folder beside and renamed at the end: it is there whole or not at all. Raises
    ConfigError for a sample that is unknown, CompError when the folder cannot be written.
    """
    root = Path(data.root)
    if data.make is None or (root.exists() and (not root.is_dir() or any(root.iterdir()))):
        return
    build = pick(SAMPLES, data.make, "data.make")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        for orphan in root.parent.glob(f".{root.name}.*.tmp"):
            discard(orphan)
        _build(build, root)
    except OSError as problem:
        raise CompError(f"{root}: cannot be written ({problem.strerror or problem})") from problem


def _build(build: Callable[[Path], None], root: Path) -> None:
    beside = scratch_path(root)
    try:
        with held(beside, folder=True):
            build(beside)
            _rename(beside, root)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _rename(beside: Path, root: Path) -> None:
    """Put the finished folder in place, unless another process was faster."""
    try:
        beside.replace(root)
    except OSError:
        if not (root.is_dir() and any(root.iterdir())):
            raise


def _digits(folder: Path) -> None:
    """The 1,797 digits of scikit-learn (8x8, values 0..16) as grey PNGs of 32x32.

    1,437 to train on and 360 to answer, as many of each digit in proportion.
    """
    import cv2
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits: Any = load_digits()
    rows = np.arange(len(digits.target))
    train, test = train_test_split(
        rows, test_size=_TEST_ROWS, stratify=digits.target, random_state=_SPLIT_SEED
    )
    for name, part in (("train", train), ("test", test)):
        (folder / name).mkdir()
        for row in part:
            small = (digits.images[row] * (255 / 16)).round().astype(np.uint8)
            image = cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
            coded = cv2.imencode(".png", image)[1]
            (folder / name / f"{row:04d}.png").write_bytes(coded.tobytes())
    _table(folder / "train.csv", np.sort(train), digits.target[np.sort(train)])
    _table(folder / "test_answers.csv", np.sort(test), digits.target[np.sort(test)])
    _table(folder / "sample_submission.csv", np.sort(test), [0] * len(test))


def _table(path: Path, rows: Iterable[int], labels: Iterable[int]) -> None:
    lines = [f"{row:04d},{label}\n" for row, label in zip(rows, labels, strict=True)]
    path.write_text("id,digit\n" + "".join(lines), encoding="utf-8", newline="")


SAMPLES: dict[str, Callable[[Path], None]] = {"digits": _digits}
