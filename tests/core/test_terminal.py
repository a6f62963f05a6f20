"""Any text can be printed on any terminal, and none steers it."""

from __future__ import annotations

import contextvars
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comp.core.terminal import (
    advise_for,
    again,
    can_show,
    json_text,
    steady_streams,
    tell,
    visible,
    with_options,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m \x7f \x00 \x08", r"\x9b31m \x7f \x00 \x08"),
        ("a\rb", r"a\rb"),
        ("left \u202eright\u2066", r"left \u202eright\u2066"),
        ("byte \udcff", r"byte \udcff"),
        ("한글 é 👩\u200d🔬 [/b] $x$ <b>\tline\n", "한글 é 👩\u200d🔬 [/b] $x$ <b>\tline\n"),
    ],
)
def test_what_would_steer_the_terminal_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_cell_has_one_line() -> None:
    assert visible("a\nb\tc", lines=False) == r"a\nb\tc"


def test_a_result_is_told_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    tell("\x1b[2J")
    tell(1, end="")
    assert capsys.readouterr().out == "\\x1b[2J\n1"


@pytest.mark.parametrize(
    ("config", "sets", "text"),
    [
        (None, None, ""),
        (Path("a.yaml"), [], " -c a.yaml"),
        (Path("my a.yaml"), ["x=1", "y=[a, b]"], " -c 'my a.yaml' --set x=1 --set 'y=[a, b]'"),
        (None, ["name=it's"], """ --set 'name=it'"'"'s'"""),
    ],
)
def test_the_next_command_repeats_config_and_values(
    config: Path | None, sets: list[str] | None, text: str
) -> None:
    assert again(config, sets) == text


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        ("`comp train --fold 1`", "`comp train -c a.yaml --fold 1`"),
        ("`comp submission check x.csv`", "`comp submission check -c a.yaml x.csv`"),
        ("`comp find lr`", "`comp find lr -c a.yaml`"),
        ("`comp check -c b.yaml`", "`comp check -c b.yaml`"),
        (
            "`comp board`, `comp explain x`, comp train",
            "`comp board`, `comp explain x`, comp train",
        ),
        ("`comp trainer`", "`comp trainer`"),
    ],
)
def test_commands_in_messages_can_be_typed(text: str, advised: str) -> None:
    def advise() -> str:
        advise_for(Path("a.yaml"), None)
        return with_options(text)

    assert with_options(text) == text
    assert contextvars.copy_context().run(advise) == advised


def test_json_is_plain_where_it_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    utf8, ascii_only = (io.TextIOWrapper(io.BytesIO(), encoding=e) for e in ("utf-8", "ascii"))
    monkeypatch.setattr(sys, "stdout", utf8)
    assert json_text(["한글"]) == '[\n  "한글"\n]'
    assert json_text(["\x9b"]) == '[\n  "\\u009b"\n]'
    monkeypatch.setattr(sys, "stdout", ascii_only)
    assert not can_show("한글")
    assert json_text(["한글"]) == '[\n  "\\ud55c\\uae00"\n]'
    assert json.loads(json_text(["한글"])) == ["한글"]


def test_letters_that_a_terminal_lacks_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    with steady_streams():
        print("out 한")
        print("err 한", file=sys.stderr, flush=True)
    assert [stream.buffer.getvalue() for stream in streams] == [b"out ?\n", b"err ?\n"]  # type: ignore[attr-defined]
    assert sys.stdout is streams[0]


def test_secrets_are_hidden_in_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2222")
    with steady_streams():
        print("out hunter2222")
        print("err hunter2222", file=sys.stderr)
        sys.stdout.writelines(["a hunter2222"])
    assert capsys.readouterr() == ("out ***\na ***", "err ***\n")


def test_streams_that_are_closed_take_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with steady_streams():
        print("nowhere")
        print("nowhere", file=sys.stderr)
        assert not sys.stderr.isatty()
    assert sys.stdout is None


CHATTER = """
from comp.core.terminal import steady_streams
import sys
with steady_streams():
    for _ in range(20_000):
        print("a line")
    print("to the end", file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of POSIX")
def test_nobody_need_read_to_the_end() -> None:
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", CHATTER], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    os.close(read)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "to the end\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_under_stdout_is_an_error() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "comp", "--version"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        "error: standard output: No space left on device\n",
    )
