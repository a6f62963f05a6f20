"""The manual's pictures: each is shown, and each is drawn by the script from a real run."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/pictures"
SPEC = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
assert SPEC is not None
draw: Any = importlib.util.module_from_spec(SPEC)
assert SPEC.loader is not None
SPEC.loader.exec_module(draw)


def test_each_picture_is_drawn_by_the_script_and_shown_with_words_for_it() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")]
    shown = [pair for page in pages for pair in re.findall(r"!\[(.*?)\]\(pictures/(.+?)\)", page)]
    names = {name for _, name in shown}
    assert names == {*draw.PICTURES} == {path.name for path in FOLDER.glob("*.png")}
    assert [name for words, name in shown if len(words) < 20] == []


@pytest.mark.parametrize("name", draw.PICTURES)
def test_a_picture_has_the_size_of_the_window_and_is_small(name: str) -> None:
    pixels = cv2.imread(str(FOLDER / name))
    assert pixels is not None
    assert pixels.shape[1] == draw.WIDTH
    assert pixels.std() > 5, "nothing is on it"
    assert (FOLDER / name).stat().st_size < 300_000


def test_commands_of_the_script_have_options_that_exist() -> None:
    from comp.config.loading import load_config

    for name in draw.RUNS:
        sets = draw.options(name)[1::2]
        assert load_config(None, sets).name == name


def test_the_terminal_is_drawn_from_the_files_of_a_run(
    finished: Callable[..., dict[str, Any]], opened: Callable[..., Any]
) -> None:
    finished()
    draw.draw_terminal(Path(), "toy_binary", Path("terminal.html"))
    text = opened(Path("terminal.html")).inner_text("pre")
    assert text.count("done") == 3
    assert "2 of 2 done" in text
    assert "macro_f1" in text
