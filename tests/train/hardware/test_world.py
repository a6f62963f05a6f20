"""One fold by several processes: what fails in one is known to all, and nobody waits for ever.

`tests/test_several_processes.py` compares their weights with those of one process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from comp.core import locks
from comp.core.errors import ConfigError
from comp.train.checkpoints import checkpoint
from comp.train.hardware import world
from comp.train.hardware.world import ALONE, Agreed, World, joined

Planned = Callable[..., dict[str, Any]]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def command(*words: str) -> list[str]:
    return [*TORCHRUN, "-m", "comp", "train", "-c", "toy.yaml", "--fold", "0", *words]


def weights(folder: str) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = checkpoint.load(Path(folder) / "fold_0/last.pt")["model"]
    return found


def furthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def test_the_parts_of_a_batch_are_even_and_a_small_batch_is_taken_whole_by_all() -> None:
    three = World(0, 3)
    assert three.slices(8) == [(0, 3), (3, 6), (6, 8)]
    assert three.slices(5) == [(0, 5)] * 3
    assert (three.weight(8), three.weight(5), ALONE.weight(1)) == (8, 15, 1)


def test_alone_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "dist", None)
    numbers = torch.ones(3)
    ALONE.add([numbers])
    ALONE.copy([numbers])
    assert numbers.tolist() == [1, 1, 1]
    assert (ALONE.gather(5), ALONE.tell("x"), ALONE.agree(stop=2)) == ([5], "x", (2, False))
    assert ALONE.protected(lambda: 7) == (7, (0, False))
    with pytest.raises(Agreed):
        ALONE.agree(full=True)


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # of another launcher, without an address to meet at
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with joined(8) as found:
        assert found is ALONE


def test_a_batch_that_is_too_small_for_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "4", "RANK": "0", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="train.batch_size: 7 images for 4 processes"), joined(7):
        pass


def _plan() -> dict[str, Any]:
    return {"folds": {"count": 2, "plan": "toy_binary"}}


def test_processes_that_are_killed_or_stopped_go_on_and_end_with_the_same_bits(
    planned: Planned,
) -> None:
    """One of them is killed, then all, then one gets a signal; each time nobody waits for ever."""
    tree = planned(train__epochs=24, model__drop_rate=0.2)  # with batch norm and dropout
    for name in ("whole", "ended"):
        text = yaml.safe_dump({**tree, "name": name} | _plan())
        Path(f"{name}.yaml").write_text(text)
    subprocess.run(_typed("whole"), check=True, capture_output=True)
    _ended_by(signal.SIGKILL, lambda lead, ranks: [pid for pid in ranks if pid != lead])
    _ended_by(signal.SIGKILL, lambda lead, ranks: ranks)
    said = _ended_by(signal.SIGTERM, lambda lead, ranks: [pid for pid in ranks if pid != lead])
    assert "error: SIGTERM: stopped fold 0 " in said
    subprocess.run(_typed("ended"), check=True, capture_output=True)
    assert furthest(weights("runs/whole"), weights("runs/ended")) == 0


def _typed(name: str) -> list[str]:
    return [word.replace("toy.yaml", f"{name}.yaml") for word in command()]


def _ended_by(number: int, chosen: Callable[[int, Sequence[int]], Sequence[int]]) -> str:
    """Start the run `ended`, or go on with it, and send a signal to processes of it, in the middle;
    torchrun ends the others. What was said."""
    run = Path("runs/ended/fold_0")
    before = _epochs(run)
    pipes: dict[str, Any] = {"stdout": -3, "stderr": subprocess.PIPE, "text": True}
    started = subprocess.Popen(_typed("ended"), **pipes)
    _wait(lambda: _epochs(run) > before + 1)
    holder = locks.holder(run)
    assert holder is not None
    ranks = _children(started.pid)
    assert holder["pid"] in ranks
    assert len(ranks) == 2
    for pid in chosen(holder["pid"], ranks):
        os.kill(pid, number)
    begun = time.monotonic()
    _, said = started.communicate(timeout=200)
    assert started.returncode != 0
    assert time.monotonic() - begun < 100
    assert not (run / "done.json").exists()
    return said


def _epochs(run: Path) -> int:
    """How many epochs of a run are written down."""
    history = run / "history.csv"
    return history.read_text().count("\n") if history.exists() else 0


def _wait(what: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _children(pid: int) -> Sequence[int]:
    """The processes that a process has started, by what the kernel says."""
    out = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            out.append(int(path.parent.name))
    return out


FAILING = """
import os, sys, torch
import comp.train.update as update
from comp.cli.main import main

real, calls = update.backward, [0]

def backward(job, state, part, truth, share, *beside):
    calls[0] += os.environ["RANK"] == "1"
    if calls[0] == 3:
        raise torch.OutOfMemoryError("out of memory")
    return real(job, state, part, truth, share * (float("nan") if calls[0] == 8 else 1), *beside)

update.backward = backward
sys.argv = ["comp", *sys.argv[1:]]
main()
"""


def test_what_fails_in_one_process_is_left_out_by_all(planned: Planned) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(planned(train__epochs=4)))
    Path("failing.py").write_text(FAILING)
    words = ["failing.py", "train", "-c", "toy.yaml", "--fold", "0"]
    done = subprocess.run([*TORCHRUN, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "out of device memory; continuing with 3 images at a time" in done.stderr
    assert done.stderr.count("; skipped (1 of 5 allowed)") == 1
    manifest = json.loads(Path("runs/toy_binary/fold_0/done.json").read_text())
    assert (manifest["epochs"], manifest["skipped"]) == (4, 1)
