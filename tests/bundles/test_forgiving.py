"""A grey image stands for one that cannot be read, and its row is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from toys import paint

from comp.bundles.forgiving import Forgiving, SizedPaths, Unreadable
from comp.config.schema import ImageConfig
from comp.data.folds.skipped import grey_image
from comp.data.images.decode import read_image
from comp.data.images.pixel_form import PixelForm
from comp.data.images.resize import fit
from comp.data.index.file_match import build_index


def test_what_cannot_be_read_is_grey_and_noted_at_once(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", 100, seed=0, size=8)
    (tmp_path / "b.png").write_bytes(b"no image")
    grey = grey_image(tmp_path)
    paths = [tmp_path / "a.png", tmp_path / "b.png", grey]
    index = build_index(["a", "b", "c"], paths, ("x", "y"))
    notes = tmp_path / "unreadable.txt"
    unreadable = Unreadable(index, ["c"], notes, grey)
    images = Forgiving(index, ImageConfig(size=8), PixelForm(), unreadable)
    found = images.take(np.arange(3))
    assert (found[0] == fit(read_image(paths[0]), 8, "stretch")).all()
    assert (found[1:] == 128).all()
    assert unreadable.among(np.arange(3)).tolist() == [False, True, True]
    assert notes.read_text(encoding="utf-8").startswith("b\t")
    assert SizedPaths(unreadable)[1] == grey
    assert unreadable.sized() == (paths[0], grey, grey)
    assert {*Unreadable(index, [], notes, grey).reasons} == {"b"}
