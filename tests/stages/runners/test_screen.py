"""Lines and bars of several processes on one screen."""

from __future__ import annotations

import io
import sys

import pytest

from comp.stages.runners.screen import Screen, open_screen


def test_a_line_says_whose_it_is_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.show("cuda:0", {"say": "training on a card"})
    screen.show("cuda:1", {"say": "training on a card"})
    screen.show("cuda:1", {"say": "fold 1  epoch 1/2"})
    screen.show("cuda:1", {"bar": "fold 1 epoch 2/2", "done": 1, "of": 3})
    screen.end("cuda:1")
    expected = "[cuda:0] training on a card\n[cuda:1] fold 1  epoch 1/2\n"
    assert capsys.readouterr().err == expected


def test_a_terminal_has_a_bar_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    with open_screen() as screen:
        for label in ("cpu #1", "cpu #2"):
            screen.show(label, {"bar": f"a bar of {label}", "done": 1, "of": 3})
        bars = screen._bars.tasks
        screen.show("cpu #1", {"bar": "the next", "done": 2, "of": 4})
        now = [(task.description, task.completed, task.total) for task in bars]
        screen.end("cpu #1")
        left = [task.description for task in screen._bars.tasks]
    assert now == [("[cpu #1] the next", 2, 4), ("[cpu #2] a bar of cpu #2", 1, 3)]
    assert left == ["[cpu #2] a bar of cpu #2"]
