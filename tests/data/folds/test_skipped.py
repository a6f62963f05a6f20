"""Images that are set aside are ignored, and no class loses all of its images by that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.folds.skipped import Skipped, read_skipped, without, write_skipped
from comp.data.index.index import Index

IDS = ("a", "b", "c", "d", "é 한,")


def index(groups: tuple[str, ...] | None = None, ids: tuple[str, ...] = IDS) -> Index:
    paths = tuple(Path(f"{name}.png") for name in ids)
    target = np.array([0, 1, 0, 1, 1])[: len(ids)]
    return Index(ids, paths, ("x", "y"), target, groups)


def test_set_aside_images_are_left_out_of_training(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    write_skipped(path, Skipped({"é 한,": 'it is "bad", so'}, {"t": "empty"}))
    assert read_skipped(path) == Skipped({"é 한,": 'it is "bad", so'}, {"t": "empty"})
    left = without(index(tuple("pqrst")), ["é 한,", "b", "elsewhere"], path)
    assert left.ids == ("a", "c", "d")
    assert left.groups == ("p", "r", "s")
    assert left.labels.tolist() == [0, 0, 1]
    write_skipped(path, Skipped({}, {}))
    assert not path.exists()
    assert read_skipped(path) == Skipped({}, {})


def test_a_class_never_loses_its_last_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the classes 'x' have none left"):
        without(index(), ["a", "c"], tmp_path)
