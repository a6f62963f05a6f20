"""What is done to the toy: every case has a name, and ends as survived, refused or lost."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.fault_shim import KINDS
from faults.fault_world import COMMANDS, World, refuses_with_the_file, results

CUTS, FLIPS, FEWER_FLIPS = 64, 200, 50  # flips in checkpoints, and in other files
FOLD = ("last.pt", "last.1.pt", "best.pt", "done.json", "config.yaml", "history.csv")
PREDICTED = ("valid/probs.npy", "valid/ids.txt", "valid/manifest.json")
# Files that are for people, or that are not looked at once the fold is whole. A changed byte in
# them may stay; it must not reach any other file.
UNREAD = ("last.pt", "last.1.pt", "history.csv", "done.json")
OVER = [["folds", "make", "-c", "toy.yaml", "--replace"], [*COMMANDS[1], "--restart"], COMMANDS[2]]


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong. `run` gives "survived", "refused" or "untouched", or raises
    AssertionError: then something was lost."""

    group: str
    kind: str
    name: str
    run: Callable[[Any], str] = field(compare=False)


class Stage:
    """A world with the workspaces that damage is done to: finished, and stopped in the middle."""

    def __init__(self, folder: Path, *world: int, **over: Any) -> None:
        self.world = World(folder, *world, **over)
        self.finished = self.world.folder / "whole"
        self.midway = self.world.workspace("midway")
        saves = [n for n, p in enumerate(self.world.whole.paths) if "fold_1/.last" in p]
        stopped = self.world.run(self.midway, kind="kill", at=saves[len(saves) // 2])
        assert {fold: place > (0, 1) for fold, place in stopped.saved.items()} == {0: True, 1: True}
        self.workers = self.world.workspace("workers", train__workers=2)
        assert self.world.run(self.workers).code == 0

    def close(self) -> None:
        self.world.close()
        shutil.rmtree(self.world.folder, ignore_errors=True)


def every_operation(operations: list[str], kinds: tuple[str, ...] = KINDS) -> Iterator[Case]:
    """Each kind of fault at each operation of the run (a short write at each write)."""
    for kind in kinds:
        for at, operation in enumerate(operations, 1):
            if kind != "short" or operation == "write":
                yield Case("one fault", kind, f"{operation} {at}", _faults((kind, at)))


def compound(operations: list[str], count: int, seed: int = 0) -> Iterator[Case]:
    """A second fault while the run recovers from the first; half of them with a third."""
    draw = random.Random(seed)
    for number in range(count):
        faults = [(draw.choice(KINDS), draw.randint(1, len(operations)))]
        for _ in range(1 + number % 2):
            faults.append((draw.choice(KINDS), draw.randint(1, len(operations) // 3)))
        name = ", ".join(f"{kind} {at}" for kind, at in faults)
        yield Case("faults in recoveries", f"{len(faults)} faults", name, _faults(*faults))


def _faults(*faults: tuple[str, int]) -> Callable[[Stage], str]:
    def run(stage: Stage) -> str:
        return stage.world.survive(stage.world.workspace("case"), *faults)

    return run


def damage(seed: int = 0) -> Iterator[Case]:
    """Files cut short and files with a changed byte, in a whole run and in one that was stopped."""
    names = ["folds/toy.csv", "folds/toy.json", "submissions/toy.csv", "submissions/toy.json"]
    names += ["cache/*/images.npy", "cache/*/manifest.json"]
    names += [f"runs/toy/fold_0/{name}" for name in (*FOLD, *PREDICTED)]
    draw = random.Random(seed)
    for place in ("finished", "midway"):
        for name in names:
            if place == "midway" and name.startswith(("submissions", "runs/toy/fold_0/valid")):
                continue
            for cut in range(CUTS):
                yield Case("damage", "cut", f"{place} {name} {cut}", _cut(place, name, cut / CUTS))
            for _ in range(FLIPS if name.endswith(".pt") else FEWER_FLIPS):
                where, bits = draw.random(), draw.randint(1, 255)
                label = f"{place} {name} {where:.4f} {bits}"
                yield Case("damage", "byte", label, _flip(place, name, where, bits))


def swaps() -> Iterator[Case]:
    """The same file of two folds exchanged."""
    for place in ("finished", "midway"):
        for name in (*FOLD, "valid", "test"):
            if place == "finished" or name in FOLD[:3]:
                yield Case("damage", "swap", f"{place} {name}", _swap(place, name))


def _cut(place: str, name: str, share: float) -> Callable[[Stage], str]:
    return _damaged(place, name, lambda content: content[: int(len(content) * share)])


def _flip(place: str, name: str, where: float, bits: int) -> Callable[[Stage], str]:
    def flip(content: bytes) -> bytes:
        at = int(where * len(content))
        return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]

    return _damaged(place, name, flip)


def _damaged(place: str, name: str, change: Callable[[bytes], bytes]) -> Callable[[Stage], str]:
    def run(stage: Stage) -> str:
        root = stage.world.copy(getattr(stage, place), "case")
        found = sorted(root.glob(name))
        if not found:
            return "untouched"
        found[0].write_bytes(change(found[0].read_bytes()))
        touched = str(found[0].relative_to(root))
        unread = place == "finished" and name.startswith("cache")  # all predictions are there
        return _judge(stage, root, touched, unread=unread)

    return run


def _swap(place: str, name: str) -> Callable[[Stage], str]:
    def run(stage: Stage) -> str:
        root = stage.world.copy(getattr(stage, place), "case")
        one, other = (root / f"runs/toy/fold_{fold}/{name}" for fold in (0, 1))
        if not (one.exists() and other.exists()):
            return "untouched"
        one.rename(root / "beside")
        other.rename(one)
        (root / "beside").rename(other)
        return _judge(stage, root, f"runs/toy/fold_0/{name}", f"runs/toy/fold_1/{name}")

    return run


def _judge(stage: Stage, root: Path, *touched: str, unread: bool = False) -> str:
    """The same results, or a refusal that names the way out; and the way out works."""
    outcome = stage.world.run(root)
    if outcome.code == 0:
        final, found = stage.world.final, results(root)
        spared = [name for name in touched if unread or name.endswith(UNREAD)]
        wrong = [n for n in final if found.get(n) != final[n] and n not in spared]
        assert not wrong, f"I2: silently different: {wrong}"
        return "survived"
    assert refuses_with_the_file(outcome), f"exit code {outcome.code}: {outcome.text}"
    over = stage.world.run(root, OVER)
    stage.world.check_after_recovery(root, over)
    return "refused"


def group_kills(operations: list[str], count: int, seed: int = 0) -> Iterator[Case]:
    """The whole process group, with its workers, killed from outside a few milliseconds after a
    random operation was reported, three times; then a run to the end."""
    draw = random.Random(seed)
    for number in range(count):
        moments = [(draw.randint(0, len(operations)), draw.uniform(0, 0.01)) for _ in range(3)]
        yield Case("kills from outside", "group kill", f"{number}", _kills(moments))


def _kills(moments: list[tuple[int, float]]) -> Callable[[Stage], str]:
    def run(stage: Stage) -> str:
        world = stage.world
        root = world.workspace("case", train__workers=2)
        saved: dict[int, tuple[int, int]] = {}
        for moment in moments:
            outcome = world.run(root, kill_after=moment)
            assert outcome.code in (0, -9), outcome.text
            saved |= outcome.saved
            world.check_after_fault(root, saved)
        outcome = world.run(root)
        assert outcome.code == 0, outcome.text
        final, found = results(stage.workers), results(root)
        assert found == final, f"I2, I8: {set(found.items()) ^ set(final.items())}"
        return "survived"

    return run
