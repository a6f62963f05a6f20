"""What a fold says of itself is read back, and what is torn counts as absent."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from comp.train.live.beat import Beat, read_beat, write_beat

BEAT = Beat("fold 0", "training", 2, 5, 3, 9, loss=0.5, lr=0.1, speed=80.0, memory=10**9)


def test_a_beat_is_read_back_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    for _ in range(2):
        assert write_beat(path, BEAT)
    assert read_beat(path) == BEAT
    assert [*tmp_path.iterdir()] == [path]


def test_what_is_not_finite_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    write_beat(path, Beat("fold 0", "training", 1, 1, 0, 1, loss=math.nan, left=math.inf))
    assert read_beat(path) == Beat("fold 0", "training", 1, 1, 0, 1)


def test_an_error_of_the_disk_is_no_error(tmp_path: Path) -> None:
    assert not write_beat(tmp_path / "missing/progress.json", BEAT)
    (tmp_path / "progress.json").mkdir()
    assert not write_beat(tmp_path / "progress.json", BEAT)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"name": "fold 0"}', "[" * 100_000,
        json.dumps({**vars(BEAT), "epoch": "2"}), json.dumps({**vars(BEAT), "step": -1}),
        json.dumps({**vars(BEAT), "loss": True}), json.dumps({**vars(BEAT), "name": None}),
        json.dumps({**vars(BEAT), "memory": 1e300}), json.dumps({**vars(BEAT), "left": []}),
    ],
)  # fmt: skip
def test_what_is_torn_or_of_another_kind_is_absent(tmp_path: Path, text: str) -> None:
    path = tmp_path / "progress.json"
    path.write_text(text)
    assert read_beat(path) is None


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text(json.dumps({**vars(BEAT), "temperature": 70}))
    assert read_beat(path) == BEAT


def test_who_watches_does_not_import_torch() -> None:
    code = "import comp.stages.watching.server, comp.stages.watching.watch, sys; "
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
