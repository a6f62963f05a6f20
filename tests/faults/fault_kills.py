"""Each command killed at random moments, and then run again.

A victim is a command in a workspace that is ready for it. Where two undisturbed runs of it write
different bytes to a file (a measured speed, the time of an entry), the file has only to be there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from faults.fault_cases import Case, Stage
from faults.fault_world import COMMANDS, Outcome, World, digest, results

CONFIG = ["-c", "toy.yaml"]
PLAN, TRAIN, ENSEMBLE = COMMANDS
PREDICT, SCORE = ["predict", *CONFIG], ["board", "score", "toy", "0.5"]
SWEEP = {"config": "toy.yaml", "grid": {"train.lr": [0.3, 0.1]}}
TRIES = 20  # moments that are drawn until a kill comes before the end
GROUP = "kills at random moments"

# name -> (what makes its workspace, the command)
VICTIMS: dict[str, tuple[list[list[str]], list[str]]] = {
    "pack": ([], ["pack", *CONFIG]),
    "check": ([], ["check", *CONFIG]),
    "folds make": ([], PLAN),
    "sweep": ([PLAN], ["sweep", "sweep.yaml"]),
    "find lr": ([PLAN], ["find", "lr", *CONFIG, "--steps", "10"]),
    "find batch": ([PLAN], ["find", "batch", *CONFIG, "--limit", "8"]),
    "train": ([PLAN], TRAIN),
    "predict": ([PLAN, TRAIN], PREDICT),
    "ensemble": ([PLAN, TRAIN], ENSEMBLE),
    "ensemble of predictions": ([PLAN, TRAIN, PREDICT], ENSEMBLE),
    "ensemble again": ([PLAN, TRAIN, ENSEMBLE], [*ENSEMBLE, "--vote", "hard"]),
    "board score": ([PLAN, TRAIN, ENSEMBLE], SCORE),
    "board": ([PLAN, TRAIN, ENSEMBLE, SCORE], ["board", "--picture", "board.png"]),
}


@dataclass(frozen=True)
class Ready:
    """A workspace before a command, and what the command ends with.

    `seconds`      how long it takes
    `final`        the files and their digests, without those of `loose`
    `loose`        files that are written, with bytes that are never the same
    `submissions`  the digests that the submission has before and after; None: there is none
    """

    start: Path
    command: list[str]
    seconds: float
    final: dict[str, str]
    loose: frozenset[str]
    submissions: frozenset[str | None]


class Victims:
    """The workspaces, each made when it is first needed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made: dict[str, Ready] = {}

    def ready(self, name: str) -> Ready:
        """The workspace of a victim."""
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> Ready:
        before, command = VICTIMS[name]
        start = self.world.workspace(f"before {name}")
        (start / "sweep.yaml").write_text(yaml.safe_dump(SWEEP), encoding="utf-8")
        if before:
            outcome = self.world.run(start, before)
            assert outcome.code == 0, f"{name}: {outcome.text}"
        ends, submissions, seconds = [], {_submission(start)}, 0.0
        for _ in range(2):
            root = self.world.copy(start, "case")
            begin = time.monotonic()
            outcome = self.world.run(root, [command])
            seconds = time.monotonic() - begin
            assert outcome.code == 0, f"{name}: {outcome.text}"
            ends.append(results(root))
            submissions.add(_submission(root))
        assert ends[0].keys() == ends[1].keys(), f"{name}: {ends[0].keys() ^ ends[1].keys()}"
        loose = frozenset(file for file in ends[0] if ends[0][file] != ends[1][file])
        final = {file: value for file, value in ends[0].items() if file not in loose}
        return Ready(start, command, seconds, final, loose, frozenset(submissions))

    def survive(self, name: str, seed: int) -> str:
        """One or two kills, then the same command; AssertionError names the invariant."""
        ready, draw = self.ready(name), random.Random(seed)
        root = self._killed(ready, draw)
        if draw.random() < 0.5:
            self._kill(ready, root, draw)
        outcome = self.world.run(root, [ready.command])
        assert outcome.code == 0, f"exit code {outcome.code}: {outcome.text}"
        found = results(root)
        different = [file for file, value in ready.final.items() if found.get(file) != value]
        assert not different, f"I2: {different}"
        left = found.keys() - ready.final.keys() - ready.loose
        assert not left, f"I8: {sorted(left)}"
        assert ready.loose <= found.keys(), f"missing: {sorted(ready.loose - found.keys())}"
        return "survived"

    def _killed(self, ready: Ready, draw: random.Random) -> Path:
        """A workspace whose command was killed on the way."""
        for _ in range(TRIES):
            root = self.world.copy(ready.start, "case")
            if self._kill(ready, root, draw).code == -9:
                return root
        raise AssertionError(f"{TRIES} times the command ended before it could be killed")

    def _kill(self, ready: Ready, root: Path, draw: random.Random) -> Outcome:
        moment = 0, draw.uniform(0, ready.seconds)
        outcome = self.world.run(root, [ready.command], kill_after=moment)
        assert outcome.code in (-9, 0), outcome.text
        trained = ready.command[0] == "train"
        self.world.check_after_fault(root, outcome.saved if trained else {}, ready.submissions)
        assert not outcome.outside, f"I7: {outcome.outside}"
        return outcome


def _submission(root: Path) -> str | None:
    path = root / "submissions/toy.csv"
    return digest(path) if path.exists() else None


def random_kills(count: int, victims: Callable[[Stage], Victims]) -> Iterator[Case]:
    """Each victim in turn."""
    names = list(VICTIMS)
    for number in range(count):
        name = names[number % len(names)]
        yield Case(GROUP, name, str(number), _survive(victims, name, number))


def _survive(victims: Callable[[Stage], Victims], name: str, seed: int) -> Callable[[Any], str]:
    return lambda stage: victims(stage).survive(name, seed)
