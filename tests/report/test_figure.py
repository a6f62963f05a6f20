"""A picture is written whole or not at all, and names of any script cost no warning."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from comp.core.errors import CompError
from comp.report.figure import figure


def test_a_figure_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    with figure(tmp_path / "판 🍎.png", 3, 2) as drawn:
        drawn.subplots().set_title("사과 🍎")
    content = cv2.imdecode(np.fromfile(tmp_path / "판 🍎.png", dtype=np.uint8), cv2.IMREAD_COLOR)
    assert content is not None
    assert content.shape == (240, 360, 3)


def test_a_figure_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), figure(path, 1, 1):
        raise ZeroDivisionError
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.png", b"old")]


def test_a_figure_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CompError, match=r"file/a\.png|file: "),
        figure(tmp_path / "file/a.png", 1, 1),
    ):
        pass


@pytest.mark.parametrize("text", ["$x$", r"$\frac{1}$", "$$", r"a $x_{ b", "[red] <b>"])
def test_a_text_in_a_picture_is_no_formula(tmp_path: Path, text: str) -> None:
    with figure(tmp_path / "a.png", 2, 2) as drawn:
        title = drawn.subplots().set_title(text)
    assert (title.get_text(), title.get_parse_math()) == (text, False)
    assert (tmp_path / "a.png").is_file()
