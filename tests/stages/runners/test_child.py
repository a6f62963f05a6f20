"""The process that trains for another one, by its pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from comp.config.loading import make_config
from comp.stages.experiment import open_experiment
from comp.stages.runners.order import order_of

CHILD = [sys.executable, "-m", "comp.stages.runners.child"]


def test_it_answers_in_lines_of_json_and_ends_with_its_stdin(
    planned: Callable[..., dict[str, Any]],
) -> None:
    order = order_of(open_experiment(make_config(planned())), "comp train")
    child = subprocess.Popen(CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    for line in (order.plain(), {"fold": 1, "seconds": None}):
        child.stdin.write(json.dumps(line) + "\n")
    child.stdin.flush()
    events = []
    while not events or "outcome" not in events[-1]:
        events.append(json.loads(child.stdout.readline()))
    child.stdin.close()
    assert child.wait(120) == 0
    child.stdout.close()
    assert events[-1] == {"outcome": {"fold": 1, "error": None}}
    kinds = {next(iter(event)) for event in events}
    assert kinds == {"say", "bar", "outcome"}
    said = [event["say"] for event in events if "say" in event]
    assert any(line.startswith("fold 1  epoch 2/2") for line in said)


def test_without_an_order_it_ends() -> None:
    done = subprocess.run(CHILD, input=b"", capture_output=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
