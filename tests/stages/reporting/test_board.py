"""`comp board --page` leads to the pages of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import comp as api
from comp.stages.board import read_board
from comp.stages.reporting.board import report_board


def test_a_run_has_its_hours_and_a_link_to_its_page_wherever_the_board_is(
    finished: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    finished()
    for number in (0, 1):
        Path(f"runs/toy_binary/fold_{number}/log.txt").write_text("x  900.0 s\nx  900.0 s\n")
    report_board(read_board(), Path("board.html"))
    text = Path("board.html").read_text(encoding="utf-8")
    assert "<a href=" not in text.replace('<a class="skip" href=', "")
    assert '<td class="number">1.00</td>' in text
    Path("runs/toy_binary/report.html").write_text("a page")
    found = api.board(workspace, page="pages/board.html", quiet=True)
    text = Path("pages/board.html").read_text(encoding="utf-8")
    assert '<a href="../runs/toy_binary/report.html">toy_binary</a>' in text
    assert set(found.runs["kind"]) == {"run", "submission"}
