"""The page of several runs, as text and in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answer_toys import answers

from comp.report.run.answers import OofAnswers
from comp.report.run.page import gallery_cards
from comp.report.run.versus import difference
from comp.report.run.versus_page import Blended, Contender, write_versus_page

HOSTILE = "<b onclick=\"x\">'run'"


def run(seed: int) -> OofAnswers:
    draw = np.random.default_rng(seed)
    target = np.arange(60) % 3
    probs = draw.dirichlet(np.ones(3), 60) + 0.5 * np.eye(3)[target]
    groups = [f"<i>{row % 7}" for row in range(60)]
    return answers("multiclass", target, probs / 1.5, (HOSTILE, "b", "c"), groups=groups)


@pytest.fixture
def page(tmp_path: Path) -> tuple[Path, list[str]]:
    """The page of two runs, and its sentences."""
    path = tmp_path / "runs/one/against.html"
    own = tmp_path / "runs/two/report.html"
    runs = [Contender("one", run(0), 60.0), Contender(HOSTILE, run(1), None, ("a note",), own)]
    gain = difference(run(0), run(1), 0, 50)
    blends = [Blended("", run(0).scores, None), Blended("one", run(1).scores, gain)]
    path.parent.mkdir(parents=True)
    said = write_versus_page(
        path,
        runs,
        [gain],
        blends,
        ("one", gain),
        lambda rows: gallery_cards(run(0), rows, lambda row: "", {}),
    )
    return path, said


def test_the_page_tells_the_difference_the_blend_and_the_flips(
    page: tuple[Path, list[str]],
) -> None:
    path, said = page
    text = path.read_text(encoding="utf-8")
    gain = difference(run(0), run(1), 0, 50)
    assert len(said) == 2
    assert f"{abs(gain.gain):.4f} macro_f1" in said[0]
    assert "draws of groups" in said[0]
    assert gain.low < 0 < gain.high
    start = f"The mean of both has macro_f1 {run(0).scores.honest:.4f}: "
    assert said[1].startswith(start)
    assert f"by {abs(gain.gain):.4f} macro_f1, but that may be noise" in said[1]
    assert f"gain of the blend {gain.low:+.4f} to {gain.high:+.4f}" in said[1]
    assert 'href="../two/report.html"' in text
    assert "a note" in text
    assert HOSTILE not in text
    flipped = int((run(0).wrong != run(1).wrong).sum())
    assert text.count("<article") == flipped


def test_a_browser_shows_it_without_errors_and_filters_the_flips(
    page: tuple[Path, list[str]], opened: Callable[..., Any]
) -> None:
    shown = opened(page[0], 360, "dark")
    room = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert shown.evaluate(room) == 0
    assert HOSTILE in shown.locator("h1").inner_text()
    shown.select_option("select[name=kind]", "lost")
    lost = int((~run(0).wrong & run(1).wrong).sum())
    assert shown.locator("#flips1 article:visible").count() == lost


def test_the_page_passes_the_checks_of_axe(
    page: tuple[Path, list[str]], audited: Callable[[Path], list[str]]
) -> None:
    assert audited(page[0]) == []
