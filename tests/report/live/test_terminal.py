"""The picture on a terminal: wide, narrow, ASCII, and with names that would steer it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from live_toys import fold, run, waits
from rich.console import Console

from comp.report.live.rows import LiveRun
from comp.report.live.terminal import TerminalPicture, picture


def drawn(width: int, *runs: LiveRun, plain: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(picture(runs, width, plain=plain))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_wide_terminal_shows_all() -> None:
    lines = drawn(120, run(fold(0, "done", 4), fold(1), waits(2)))
    assert lines[0].split() == ["epoch", "loss", "valid", "macro_f1", "best", "images/s", "left"]
    assert lines[1].split()[-6:] == ["0.9000", "in", "4", "▁▄▃█", "1,234", "done"]
    assert lines[2].split()[3:] == ["3/4", "0.5500", "0.9000", "0.7000", "0.7000", "in", "2",
                                    "▁█", "1,234", "2", "min"]  # fmt: skip
    assert lines[3].split()[-1] == "waiting"
    assert lines[4] == "1 of 3 done, 1 at work, about 6 min left, memory 2.0 GB"


@pytest.mark.parametrize("width", [20, 40, 66, 80, 100, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    lines = drawn(width, run(fold(0), waits(1)))
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("fold") for line in lines) == 2


@pytest.mark.parametrize("width", range(24, 140, 4))
def test_no_cell_is_cut_whatever_the_width(width: int) -> None:
    """Columns that have no room are left out instead; the states are told where there is room."""
    folds = (fold(0, "done", 4), fold(1, "validation"), fold(2, "stopped"), waits(3))
    long = LiveRun("signs", "balanced_accuracy_of_all", folds)
    lines = drawn(width, long, run(fold(0, speed=123456.0), waits(1)))
    assert "…" not in "".join(lines).replace("balanced_ac…", "")
    rows = [line for line in lines if line.startswith("fold 3")]
    assert rows[0].endswith("waiting") or width < 32


def test_between_two_folds_this_process_is_at_work() -> None:
    folds = (fold(0, "done", 4), waits(1))
    here = drawn(80, LiveRun("signs", "macro_f1", folds, busy=True))
    assert here[-1] == "1 of 2 done, about 4 min left"
    assert "nobody at work" in drawn(80, LiveRun("signs", "macro_f1", folds))[-1]


def test_an_ascii_terminal_gets_no_blocks() -> None:
    assert "▁" not in "".join(drawn(120, run(fold(0)), plain=True))


def test_names_and_notes_are_text() -> None:
    hostile = "[red]x[/]\x1b[2J"
    lines = drawn(160, run(fold(0, note=hostile), name=hostile), run(waits(0), note=hostile))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert text.count(r"[red]x[/]\x1b[2J") == 3


def test_a_validation_is_told() -> None:
    assert drawn(120, run(fold(0, "validation")))[1].endswith("validating")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_picture_is_drawn_in_its_own_place_and_lines_go_above_it() -> None:
    console: Any = Console(file=Terminal(), width=100, force_terminal=True)
    shown = TerminalPicture(console)
    shown.close()  # nothing was drawn: nothing to leave
    assert console.file.getvalue() == ""
    shown.show([run(fold(0))])
    shown.show([run(fold(0))])
    once = console.file.getvalue()
    assert "\x1b[2K" in once  # the lines of the first are cleared
    shown.above("[b]a note[/b]")
    shown.close()
    assert "[b]a note[/b]" in console.file.getvalue()
