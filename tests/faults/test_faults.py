"""A slice of the harness; `make faults` runs all of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import fault_cases
from faults.fault_cases import Case, Stage
from faults.fault_kills import VICTIMS, Victims
from faults.fault_shim import KINDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="forks, reads /proc"),
]
SHARES = {"kill": 0.012, "power": 0.006, "short": 0.02, "enospc": 0.007, "eio": 0.007}


def run(stage: Stage, cases: list[Case]) -> Counter[str]:
    return Counter(case.run(stage) for case in cases)


def some(cases: Iterator[Case], share: float) -> list[Case]:
    """A share of the cases, never the same kind of place twice in a row."""
    every = list(cases)
    return random.Random(1).sample(every, max(4, round(share * len(every))))


def test_the_undisturbed_run_has_all_there_is_to_lose(stage: Stage) -> None:
    names = {Path(name).name for name in stage.world.final}
    assert {"last.pt", "last.1.pt", "best.pt", "history.csv", "done.json"} <= names
    assert {"probs.npy", "toy.csv", "toy.json", "images.npy"} <= names
    assert stage.world.whole.saved == {0: (3, 0), 1: (3, 0)}
    assert not stage.world.whole.outside
    again = stage.world.workspace("again")
    stage.world.check_after_recovery(again, stage.world.run(again))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_a_file_operation_costs_nothing(stage: Stage, kind: str) -> None:
    cases = fault_cases.every_operation(stage.world.whole.operations, (kind,))
    found = run(stage, some(cases, SHARES[kind]))
    assert set(found) == {"survived"}


def test_faults_in_recoveries_cost_nothing(stage: Stage) -> None:
    found = run(stage, [*fault_cases.compound(stage.world.whole.operations, 5, seed=1)])
    assert found["survived"] >= 3


def test_kills_of_the_process_group_from_outside_cost_nothing(stage: Stage) -> None:
    cases = fault_cases.group_kills(stage.world.whole.operations, 3, seed=1)
    assert run(stage, [*cases]) == {"survived": 3}


def test_damage_is_mended_or_refused_and_never_used(stage: Stage) -> None:
    found = run(stage, some(fault_cases.damage(), 0.004))
    assert set(found) <= {"survived", "refused", "untouched"}
    assert min(found["survived"], found["refused"]) > 0


def test_files_of_two_folds_cannot_be_exchanged_unnoticed(stage: Stage) -> None:
    found = run(stage, [*fault_cases.swaps()])
    assert found["refused"] >= 2


def test_the_harness_sees_a_checkpoint_that_is_lost(stage: Stage) -> None:
    root = stage.world.copy(stage.midway, "case")
    for name in ("last.pt", "last.1.pt"):
        (root / f"runs/toy/fold_1/{name}").unlink()
    with pytest.raises(AssertionError, match="I1: fold 1 has no checkpoint"):
        stage.world.check_after_fault(root, {1: (0, 1)})


@pytest.mark.parametrize("name", VICTIMS)
def test_each_command_killed_at_a_random_moment_ends_the_same(victims: Victims, name: str) -> None:
    assert victims.survive(name, seed=3) == "survived"


def test_the_harness_sees_what_a_command_leaves_behind(victims: Victims) -> None:
    ready = victims.ready("folds make")
    (ready.start / "folds").mkdir()
    (ready.start / "folds/.toy.csv.1.tmp.part").write_text("half")
    try:
        with pytest.raises(AssertionError, match="I8"):
            victims.survive("folds make", seed=1)
    finally:
        del victims.made["folds make"]
