"""Messages go to stderr and bars to a terminal only."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

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
