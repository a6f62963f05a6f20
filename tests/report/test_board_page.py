"""The page of the board, as text and in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.report.board_page import shake_up, write_board_page
from comp.stages.board import BoardEntry, BoardGroup

NAN = float("nan")
HOSTILE = "<b>last</b>"


def sent(name: str, honest: float, public: float, private: float = NAN) -> BoardEntry:
    low, high = honest - 0.02, honest + 0.02
    return BoardEntry(name, "submission", honest, honest, low, high, NAN, public, private, "")


def group(*entries: BoardEntry) -> BoardGroup:
    return BoardGroup("macro_f1", True, "0123456789abcdef", entries)


RUN = BoardEntry("toy", "run", 0.8, 0.79, 0.77, 0.81, 0.8, NAN, NAN, "not all folds")
BOARD = group(RUN, sent("a", 0.80, 0.75), sent(HOSTILE, 0.81, 0.74), sent("c", 0.70, 0.70, 0.68))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "board.html"
    write_board_page(path, [BOARD, group(RUN)], {"toy": 1.25}, {"toy": "runs/toy/report.html"})
    return path


def test_the_page_has_scores_hours_and_links(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count('<a href="runs/toy/report.html">toy</a>') == 2
    assert '<td class="number">1.25</td>' in text
    assert "&lt;b&gt;last&lt;/b&gt;" in text
    assert HOSTILE not in text
    assert text.count("<svg viewBox") > 0
    assert len(re.findall("<h2>macro_f1, plan 01234567</h2>", text)) == 2


def test_the_leaderboard_is_told_from_the_out_of_fold_scores(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert (
        "The public score is -0.0400 from the out-of-fold one on average, spread 0.0361; 1 of 3 "
        "are within the out-of-fold interval. 2 of 3 pairs of submissions are in the same order."
    ) in text
    assert "The private score is -0.0200 from the out-of-fold one on average; 1 of 1" in text


def test_submissions_within_the_interval_of_the_leader_may_change_places() -> None:
    (said,) = shake_up(BOARD)
    assert said == (
        f"a leads the public board; 1 of 2 others are within its out-of-fold interval, so their "
        f"order on the private board may be another; {HOSTILE} is the best out of fold: choose it "
        "as the second final submission."
    )
    (said,) = shake_up(group(sent("a", 0.8, 0.8), sent("b", 0.5, 0.5)))
    assert said.endswith("a shake-up among these is unlikely.")
    assert shake_up(group(RUN, sent("a", 0.8, 0.8))) == []


def test_a_browser_sorts_it_and_axe_finds_nothing(
    page: Path, opened: Callable[..., Any], audited: Callable[[Path], list[str]]
) -> None:
    shown = opened(page, 360)
    room = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert shown.evaluate(room) == 0
    honest = "#board1 tbody tr td:nth-child(2)"
    for cell in shown.locator(honest).all():
        box = cell.bounding_box()
        assert box["x"] + box["width"] <= 360  # a phone shows the honest score at once
    shown.locator("#board1 thead th").nth(1).locator("button").click()
    shown.evaluate("document.querySelector('.scroll').scrollLeft = 500")
    assert 0 <= shown.locator("#board1 tbody td.name").first.bounding_box()["x"] < 60
    honest = shown.locator(honest).all_inner_texts()
    assert honest == ["0.7000", "0.7900", "0.8000", "0.8100"]
    assert audited(page) == []
