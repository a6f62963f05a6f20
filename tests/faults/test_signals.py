"""Ctrl-C, SIGTERM and read-only or full disks, on the whole program."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from faults.fault_world import World, results

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="forks, reads /proc"),
]
INT, TERM = int(signal.SIGINT), int(signal.SIGTERM)


def finish(world: World, root: Path, *, same_config: bool = True) -> None:
    """The same command again ends as if nothing had happened."""
    outcome = world.run(root)
    assert outcome.code == 0, outcome.text
    found = results(root)
    for name, value in world.final.items():
        if same_config or not name.endswith(("config.yaml", ".pt", ".json")):
            assert found.get(name) == value, name
    assert not [name for name in found if name.endswith(".tmp")]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("number", "code"), [(INT, 130), (TERM, 143)])
@pytest.mark.parametrize(("where", "call"), [("training", 3), ("validation", 2)])
def test_a_signal_ends_the_run_on_a_checkpoint(
    world: World, where: str, call: int, number: int, code: int, workers: int
) -> None:
    root = world.workspace("case", train__workers=workers, train__checkpoint_minutes=None)
    at = {"signal": number, "where": where, "call": call, "times": 1}
    outcome = world.run(root, **at)
    assert outcome.code == code, outcome.text
    name = signal.Signals(number).name
    assert f"{name}: stopping at the next step; once more to leave at once" in outcome.text
    assert f"{name}: stopped fold 0" in outcome.text
    assert "the same command continues there" in outcome.text
    assert "left: fold 0 from epoch 2 step" in outcome.text
    assert "next: comp train --fold 0,1 -c toy.yaml" in outcome.text
    assert outcome.saved[0] == {"training": (1, 1), "validation": (1, 2)}[where]
    finish(world, root, same_config=False)


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_second_signal_leaves_at_once(world: World, number: int) -> None:
    root = world.workspace("case")
    at: dict[str, Any] = {"signal": number, "where": "training", "call": 3, "times": 1}
    outcome = world.run(root, **{**at, "times": 2})
    assert outcome.code == 128 + number
    assert outcome.saved[0] == (1, 0), "the step was not awaited"
    world.check_after_fault(root, outcome.saved)
    finish(world, root)


@pytest.mark.parametrize(("number", "code"), [(INT, 130), (TERM, 143)])
@pytest.mark.parametrize("where", ["packing", "predicting"])
def test_a_signal_outside_of_training_ends_the_command_where_it_is(
    world: World, where: str, number: int, code: int
) -> None:
    root = world.workspace("case")
    outcome = world.run(root, signal=number, where=where, call=3, times=1)
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    finish(world, root)


def test_a_signal_between_checkpoints_of_a_restart_names_the_command_without_it(
    world: World,
) -> None:
    root = world.workspace("case")
    commands = [["folds", "make", "-c", "toy.yaml"], ["train", "-c", "toy.yaml", "--restart"]]
    outcome = world.run(root, commands, signal=INT, where="training", call=2, times=1)
    assert (outcome.code, "without --restart continues there" in outcome.text) == (130, True)
    finish(world, root)


def test_a_run_folder_that_cannot_be_written_is_refused_before_any_training(world: World) -> None:
    outcome = world.run(world.workspace("case"), kind="read-only", at=0)
    assert outcome.code == 1
    assert "runs/toy/fold_0: cannot be written (Read-only file system)" in outcome.text
    assert "training on" not in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("last.pt", "the disk is full: the checkpoint needs 0.0 MB, "),
        ("rows", "the packed images need 0 MB, the disk has "),
        ("probs.npy", "cannot be written (No space left on device)"),
    ],
)
def test_a_full_disk_is_told_and_nothing_is_lost(world: World, path: str, message: str) -> None:
    paths = enumerate(world.whole.paths, 1)
    first = next(n for n, p in paths if f".{path}." in p or p.endswith(f"/{path}"))
    root = world.workspace("case")
    outcome = world.run(root, kind="enospc", at=first + 1)
    assert (outcome.code, message in outcome.text) == (1, True), outcome.text
    world.check_after_fault(root, outcome.saved)
    finish(world, root)


def test_after_the_last_epoch_only_the_predictions_are_left(world: World) -> None:
    """F6: killed between training and prediction."""
    first = next(n for n, p in enumerate(world.whole.paths, 1) if "/valid" in p)
    root = world.workspace("case")
    assert world.run(root, kind="kill", at=first).code == -9
    outcome = world.run(root)
    assert "fold 1: finished before, skipped" in outcome.text
    assert "epoch 3/3" not in outcome.text
    assert "6 valid images predicted" in outcome.text
    finish(world, root)


def test_predictions_go_on_where_they_stopped(world: World) -> None:
    root = world.workspace("case")
    outcome = world.run(root, signal=TERM, where="predicting", call=3, times=1)
    assert outcome.code == 143
    assert len(list((root / "runs/toy/fold_0/valid").glob(".parts-*/*.part"))) == 1
    outcome = world.run(root)
    assert "fold 0 valid: 1 of 2 parts were there already" in outcome.text
    assert not list(root.glob("runs/toy/*/*/.parts-*"))
    finish(world, root)
