"""The parts of a data set, measured and audited."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from toys import save, scene

from comp.check.audit import audit, measured, summary, unreadable
from comp.check.image_stats import measure_images
from comp.data.index.index import Index


def parts(folder: Path, broken: int):
    """Twelve training images of two classes, one of which is broken, and one test image."""
    paths = [save(folder / f"{n:02d}.png", scene(n, 32)) for n in range(13)]
    paths[broken].write_bytes(b"")
    names = tuple(path.name for path in paths)
    train = Index(names[:12], tuple(paths[:12]), ("a", "b"), np.arange(12) % 2)
    test = Index(names[12:], tuple(paths[12:]), ("a", "b"))
    return measured(train, test, measure_images(paths, folder / "cache"))


def test_each_part_has_the_statistics_of_its_images(tmp_path: Path) -> None:
    train, test = parts(tmp_path, broken=12)
    assert (len(train.images), len(test.images)) == (12, 1)
    assert unreadable(train, test).test == {"12.png": "an empty file"}
    found = [f for f in audit(train, test, 5) if f.level == "error"]
    assert [f.ids for f in found] == [("12.png",)]


def test_a_summary_is_of_the_readable_images(tmp_path: Path) -> None:
    about = summary(*parts(tmp_path, broken=3))
    assert about["classes"] == {"a": 6, "b": 6}
    assert (about["train"]["images"], about["train"]["unreadable"]) == (12, 1)
    assert about["train"]["formats"] == {"PNG": 11}
    assert about["train"]["width, height, bytes: least, median, most"][1][:2] == [32, 32]
    assert about["test"]["unreadable"] == 0
    assert about["together"] is about["masks"] is None
