"""A metric file runs in a process of its own, with a limit of time, and its words come back."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comp.core.errors import CompError, ConfigError, MetricError
from comp.tasks.official.process import Process, Solution

FILE = """
import os, time
class ParticipantVisibleError(Exception): pass
calls = 0
def score(solution, submission, row_id_column_name):
    global calls
    calls += 1
    print("printed", flush=True)
    what = submission["y"].iloc[0]
    if what == 1: raise ParticipantVisibleError("only zeros, please")
    if what == 2: raise KeyError("q")
    if what == 3: time.sleep(60)
    if what == 4: os._exit(7)
    if what == 5: return "x"
    return calls
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    path = tmp_path / "official.py"
    path.write_text(FILE)
    made = Process(path, Solution(pd.DataFrame({"id": [1], "y": [0]}), "id"), {}, 60.0)
    yield made
    made.close()


def ask(process: Process, what: int) -> float:
    return process.score(np.array([0]), {"y": np.array([what])})


def test_one_process_gives_many_scores_and_outlives_errors(process: Process) -> None:
    assert [ask(process, 0), ask(process, 0)] == [1.0, 2.0]
    with pytest.raises(MetricError, match=r"official\.py says: only zeros, please"):
        ask(process, 1)
    with pytest.raises(CompError, match=r"its `score` fails: KeyError: 'q'"):
        ask(process, 2)
    with pytest.raises(CompError, match="fails: ValueError: could not convert string to float"):
        ask(process, 5)
    assert ask(process, 0) == 6.0


def test_what_takes_too_long_or_ends_is_told_and_started_again(process: Process) -> None:
    assert ask(process, 0) == 1.0
    process.seconds = 1.0
    with pytest.raises(CompError, match=r"one score took longer than 1 s \(official\.seconds\)"):
        ask(process, 3)
    process.seconds = 60.0
    assert ask(process, 0) == 1.0
    with pytest.raises(CompError, match="the process of the metric ended with code 7"):
        ask(process, 4)
    assert ask(process, 0) == 1.0


def test_a_file_that_cannot_be_loaded_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    for text, words in (
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def scores(): pass", "it has no function `score`"),
    ):
        path.write_text(text)
        made = Process(path, Solution(pd.DataFrame({"id": [1]}), "id"), {}, 60.0)
        with pytest.raises(ConfigError, match=words):
            ask(made, 0)
