"""Where a training draws, and where it prints lines."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_toys import fold, waits

from comp.config.loading import make_config
from comp.core.progress import quietly, say, track
from comp.report.live.training import training_picture
from comp.stages.experiment import open_experiment
from comp.stages.train import train
from comp.train.live import pulse
from comp.train.live.beat import Beat

BEAT = Beat("fold 0", "training", 1, 4, 5, 10, loss=0.25, left=30.0)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, kind: str = "xterm") -> Terminal:
    """From now on, stderr is a terminal."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setenv("COLUMNS", "120")
    return found


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a notebook without ipywidgets was shown."""
    shown: list[str] = []
    kernel = types.ModuleType("IPython")
    shell = type("ZMQInteractiveShell", (), {})()
    display: Any = types.ModuleType("IPython.display")
    display.HTML = str
    handle = types.SimpleNamespace(update=shown.append)

    def first(html: str, display_id: bool) -> Any:
        shown.append(html)
        return handle

    display.display = first
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_log_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with training_picture("signs", "macro_f1", [waits(0)]) as watch:
        assert watch is None
        say("a line")
    assert capsys.readouterr() == ("", "a line\n")


def test_a_quiet_terminal_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with quietly(True), training_picture("signs", "macro_f1", [waits(0)]) as watch:
        assert watch is None
    assert terminal.getvalue() == ""


def test_a_terminal_that_cannot_go_back_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch, "dumb")
    with training_picture("signs", "macro_f1", [waits(0)]) as watch:
        assert watch is None


def test_a_terminal_gets_one_picture_without_bars_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with training_picture("signs", "macro_f1", [waits(0), fold(1, "done", 4)]) as watch:
        assert watch is not None
        watch(BEAT, [])
        assert [*track(range(3), 3, "letters")] == [0, 1, 2]
        say("a note")
    text = terminal.getvalue()
    assert "letters" not in text
    assert "a note" in text
    assert "1/4" in text
    assert "30 s" in text
    end = text.rsplit("fold 0", 1)[1]
    assert "stopped" in end
    assert "1 of 2 done, nobody at work" in end
    assert [*track(range(2), 2, "letters")] == [0, 1]
    assert "letters" in terminal.getvalue()


def test_a_training_on_a_terminal_is_drawn_to_its_end(
    planned: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(pulse, "SHOWN_SECONDS", 0.0)
    train(open_experiment(make_config(planned())), "all")
    text = terminal.getvalue()
    assert "  epoch 1/2  lr" not in text  # the line of a log
    assert "2 of 2 done" in text
    assert "1 of 2 done, about" in text
    assert "nobody at work" not in text  # between the two folds neither
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor comes back
    assert "  epoch 1/2  lr" in Path("runs/toy_binary/fold_1/log.txt").read_text()


def test_a_notebook_gets_bars_and_curves_in_one_output(
    planned: Callable[..., dict[str, Any]], notebook: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "SHOWN_SECONDS", 0.0)
    train(open_experiment(make_config(planned())), "all")
    assert "<progress" in notebook[0]
    assert "<path" not in notebook[0]
    assert "2 of 2 done" in notebook[-1]
    assert notebook[-1].count('role="img"') == 3
    assert "<path" in notebook[-1]
