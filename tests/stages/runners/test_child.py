"""The process that works for another one, by its pipes. What it does is played, without torch;
`test_devices.py` has real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

CODE = """
import os, signal
from comp.core.progress import say
from comp.stages.runners import child

def piece(order, fold, seconds):
    say(f"{order.command}: fold {fold}, {seconds}")
    print("of a library", flush=True)
    if fold == 1:
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pause()
    return {"fold": fold, "error": None}

child.train_piece = piece
child.main()
os._exit(0)
"""
ORDER: dict[str, Any] = {"config": {}, "root": ".", "command": "comp train", "threads": 1}


@pytest.fixture
def child() -> Any:
    pipes: dict[str, Any] = {"stdin": -1, "stdout": -1, "stderr": -1, "text": True}
    with subprocess.Popen([sys.executable, "-c", CODE], **pipes) as started:
        yield started
        started.kill()


def ask(child: Any, value: dict[str, Any]) -> None:
    child.stdin.write(json.dumps(value) + "\n")
    child.stdin.flush()


def test_it_answers_in_lines_of_json_and_ends_with_its_stdin(child: Any) -> None:
    ask(child, ORDER)
    ask(child, {"fold": 3, "seconds": 2.5})
    answers = [json.loads(child.stdout.readline()) for _ in range(2)]
    assert answers[0] == {"say": "comp train: fold 3, 2.5"}
    assert answers[1] == {"outcome": {"fold": 3, "error": None}}
    out, words = child.communicate(timeout=300)
    assert (out, words, child.returncode) == ("", "of a library\n", 0)


def test_where_stdin_ends_in_the_middle_of_a_piece_it_stops(child: Any) -> None:
    ask(child, ORDER)
    ask(child, {"fold": 1, "seconds": None})
    child.stdout.readline()
    assert child.stderr.readline() == "of a library\n"
    out, _ = child.communicate(timeout=300)  # SIGTERM ends the pause
    assert json.loads(out) == {"outcome": {"fold": 1, "error": None}}
    assert child.returncode == 0


def test_without_an_order_it_ends() -> None:
    command = [sys.executable, "-m", "comp.stages.runners.child"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
