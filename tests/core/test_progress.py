"""Messages go to stderr, bars to a terminal or a notebook only."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Iterator

import pytest

from comp.core import progress
from comp.core.progress import be_quiet, say, track


@pytest.fixture(autouse=True)
def _loud_again() -> Iterator[None]:
    yield
    be_quiet(False)


def test_a_message_goes_to_stderr_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    be_quiet(True)
    say("two")
    be_quiet(False)
    say("three")
    assert capsys.readouterr() == ("", "one\nthree\n")


def test_a_log_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert [*track(iter("abc"), 3, "letters")] == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_gets_a_bar_unless_quiet(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    be_quiet(quiet)
    assert [*track(range(3), 3, "letters")] == [0, 1, 2]
    assert ("letters" in terminal.getvalue()) is not quiet


def test_quiet_ends_with_its_block(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), progress.quietly(True):
        progress.say("one")
        raise ValueError("x")
    progress.say("two")
    assert capsys.readouterr().err == "two\n"


@pytest.mark.parametrize("widgets", [True, False])
def test_a_notebook_has_bars_where_it_has_widgets(
    monkeypatch: pytest.MonkeyPatch, widgets: bool
) -> None:
    shell = type("ZMQInteractiveShell", (), {})()
    kernel = types.ModuleType("IPython")
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setattr(progress, "find_spec", lambda name: object() if widgets else None)
    assert progress.in_notebook()
    console = progress.bar_console()
    assert (console is not None and console.is_jupyter) is widgets


def test_above_a_picture_lines_go_where_it_wants_them_and_bars_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, lines = Terminal(), list[str]()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.drawn(lines.append):
        say("one\x1b")
        assert [*track(range(2), 2, "letters")] == [0, 1]
        with progress.quietly(True):
            say("two")
    say("three")
    assert (lines, terminal.getvalue()) == (["one\\x1b"], "three\n")


def test_a_terminal_of_ipython_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = type("TerminalInteractiveShell", (), {})()
    kernel = types.ModuleType("IPython")
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    assert not progress.in_notebook()


def test_another_process_gets_lines_and_bars_as_events(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[object] = []
    progress.send_to(events.append)
    try:
        say("one")
        assert [*track("abc", 3, "letters")] == ["a", "b", "c"]
    finally:
        progress.send_to(None)
    say("two")
    assert events[0] == {"say": "one"}
    assert events[1] == {"bar": "letters", "done": 0, "of": 3}
    assert events[-1] == {"bar": "letters", "done": 3, "of": 3}
    assert capsys.readouterr().err == "two\n"
