"""Which runs are watched, and what a log says of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from live_toys import fold, run, waits

from comp.core.errors import UsageError
from comp.stages.watching import watch
from comp.stages.watching.watch import Lines, line_of, on_terminal, readers_of


class Said:
    """A reader that gives one state after the other."""

    def __init__(self, *runs: object) -> None:
        self.runs = iter(runs)

    def read(self) -> object:
        return next(self.runs)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "a\0b"])
def test_a_path_is_no_name_of_a_run(workspace: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a run"):
        readers_of([name], None)


def test_a_run_that_is_not_there_yet_is_waited_for(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("runs/signs").mkdir(parents=True)
    (reader,) = readers_of(["sgns", "sgns"], None)
    assert "runs/sgns is not there yet; it is waited for (there are: 'signs')" in (
        capsys.readouterr().err
    )
    assert reader.read().note == "runs/sgns has not begun; waiting for it"
    with pytest.raises(UsageError, match="give the name of a run"):
        readers_of([], None)


def test_a_log_gets_a_line_when_an_epoch_is_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: None)
    said = Said(
        run(fold(0, epochs=1), waits(1)), run(fold(0, epochs=1, step=9), waits(1)),
        run(fold(0, "done", 4), waits(1)), run(fold(0, "done", 4), fold(1, "done", 4)),
    )  # fmt: skip
    on_terminal([said], 1.0)  # type: ignore[list-item]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("; fold 0 1/4 0.5000")
    assert lines[2] == "signs: 2 of 2 done; fold 0 4/4 0.9000, fold 1 4/4 0.9000"


def test_a_run_without_folds_says_why() -> None:
    assert line_of(run(note="runs/signs has not begun")) == "signs: runs/signs has not begun"


def test_an_interrupt_ends_the_looking_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", leave)
    on_terminal([Said(run(fold(0)))], 1.0)  # type: ignore[list-item]


def test_a_terminal_gets_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    found = Terminal()
    monkeypatch.setattr(sys, "stdout", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: None)
    on_terminal([Said(run(fold(0)), run(fold(0, "done", 4)))], 1.0)  # type: ignore[list-item]
    assert "1 of 1 done" in found.getvalue()
    assert found.getvalue().count("\x1b[?25h") == 1


def test_lines_of_two_runs_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.show([run(fold(0), name="a"), run(fold(0), name="b")])
    lines.show([run(fold(0), name="a"), run(fold(0, epochs=3), name="b")])
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == ["a", "b", "b"]
