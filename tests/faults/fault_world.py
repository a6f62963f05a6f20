"""One toy competition, the run that nothing disturbed, and workspaces in which things go wrong.

The invariants, checked after each fault and after the run that follows it without a fault:

I1  once a checkpoint was reported, a loadable one exists that is not older
I2  the final files are those of the undisturbed run, byte for byte (weights, history, predictions,
    plan, submission): so I3 (best), I4 (each sample once an epoch) and I5 (out-of-fold rows) hold
    because they hold for the undisturbed run
I6  a submission is absent or that of the undisturbed run
I7  nothing outside the workspace is written, and the input is as it was
I8  no temporary file is left after the next start
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.fault_toy import IMAGES, write_config, write_input
from faults.fault_toy import TESTS as TEST_IMAGES

from comp.config.workspace import RunDir
from comp.core.errors import RunError
from comp.train.checkpoints import checkpoint

TESTS = Path(__file__).parents[1]
COMMANDS = [
    ["folds", "make", "-c", "toy.yaml"],
    ["train", "-c", "toy.yaml"],
    ["ensemble", "-c", "toy.yaml"],
]
# report.html holds seconds
_NOT_COMPARED = ("log.txt", "lock", "toy.yaml", "sessions.json", "report.html")
# They hold states of files, which are others in each workspace
_NOTES = ("cache/digests/", "cache/check/")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: exit code (negative: the signal), its operations, saves and words."""

    code: int
    operations: list[str]
    paths: list[str]
    saved: dict[int, tuple[int, int]]
    outside: list[str]
    text: str


class World:
    """The zygote with its toy; `close` ends it."""

    def __init__(
        self, folder: Path, images: int = IMAGES, test_images: int = TEST_IMAGES, **over: Any
    ) -> None:
        self.folder, self.over = folder, over
        self.input = folder / "input"
        write_input(self.input, images, test_images)
        self.untouched = contents(self.input)
        warm = [str(self.workspace("warm")), json.dumps(COMMANDS)]
        command = [sys.executable, str(Path(__file__).with_name("fault_zygote.py")), *warm]
        path = os.pathsep.join([str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")])
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}
        self.zygote: Any = subprocess.Popen(command, env=environment, **pipes)
        assert self.zygote.stdout.readline() == "ready\n"
        whole = self.workspace("whole")
        self.whole = self.run(whole)
        assert self.whole.code == 0, self.whole.text
        self.final = results(whole)

    def close(self) -> None:
        self.zygote.stdin.close()
        self.zygote.wait()
        self.zygote.stdout.close()

    def workspace(self, name: str, **over: Any) -> Path:
        """An empty workspace with its config."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        write_config(path / "toy.yaml", self.input, **{**self.over, **over})
        return path

    def copy(self, of: Path, name: str) -> Path:
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(of, path)
        return path

    def run(self, root: Path, commands: Any = None, **fault: Any) -> Outcome:
        """Run the commands in a workspace, under a fault if one is given."""
        out, report = self.folder / f"{root.name}.out", self.folder / f"{root.name}.report"
        report.unlink(missing_ok=True)  # a worker of a run that was killed may still hold it
        out.write_bytes(b"")
        request = {
            "root": str(root),
            "out": str(out),
            "report": str(report),
            "commands": commands or COMMANDS,
            **fault,
        }
        self.zygote.stdin.write(json.dumps(request) + "\n")
        self.zygote.stdin.flush()
        code = json.loads(self.zygote.stdout.readline())["code"]
        lines = report.read_text().splitlines()
        saves = [tuple(map(int, line.split()[1:])) for line in lines if line.startswith("saved")]
        return Outcome(
            code=code,
            operations=[line.split()[1] for line in lines if line.startswith("op ")],
            paths=[line.split(maxsplit=2)[2] for line in lines if line.startswith("op ")],
            saved={fold: (epoch, step) for fold, epoch, step in saves},
            outside=[line for line in lines if line.startswith("outside")],
            text=out.read_text(errors="replace"),
        )

    def check_after_fault(
        self,
        root: Path,
        saved: dict[int, tuple[int, int]],
        submissions: Collection[str | None] | None = None,
    ) -> None:
        """I1, I6 and I7. saved: the last checkpoint that was reported, by fold. submissions: the
        digests that the submission may have; None: that of the undisturbed run."""
        for fold, place in saved.items():
            state, _ = checkpoint.load_last(RunDir(root / f"runs/toy/fold_{fold}"))
            assert state is not None, f"I1: fold {fold} has no checkpoint after {place}"
            assert (state["epoch"], state["step"]) >= place, f"I1: fold {fold} older than {place}"
        submission = root / "submissions/toy.csv"
        if submission.exists():
            whole = submissions or {self.final["submissions/toy.csv"]}
            assert digest(submission) in whole, "I6"
        assert contents(self.input) == self.untouched, "I7"

    def check_after_recovery(self, root: Path, outcome: Outcome) -> None:
        """I2, I7 and I8."""
        assert outcome.code == 0, f"the same command failed: {outcome.text}"
        found = results(root)
        different = [name for name in self.final if found.get(name) != self.final[name]]
        assert not different, f"I2: {different}"
        assert not outcome.outside, f"I7: {outcome.outside}"
        left = [name for name in found if name not in self.final]
        assert not left, f"I8: {left}"

    def survive(self, root: Path, *faults: tuple[str, int]) -> str:
        """Faults one after the other, then a run without; what became of it: "survived", or
        "untouched" when no fault was reached. AssertionError names the invariant that broke."""
        saved: dict[int, tuple[int, int]] = {}
        reached = False
        for kind, at in faults:
            outcome = self.run(root, kind=kind, at=at)
            reached |= len(outcome.operations) >= at
            check_exit(outcome, kind)
            saved |= outcome.saved
            assert not outcome.outside, f"I7: {outcome.outside}"
            self.check_after_fault(root, saved)
        self.check_after_recovery(root, self.run(root))
        return "survived" if reached else "untouched"


def check_exit(outcome: Outcome, kind: str) -> None:
    """A killed process is killed; an error of the disk is a message and exit code 1."""
    if outcome.code == -9 and kind in ("kill", "power", "short"):
        return
    assert outcome.code in (0, 1), f"exit code {outcome.code}: {outcome.text}"
    assert "Traceback" not in outcome.text, outcome.text
    if outcome.code == 1:
        assert outcome.text.rsplit("error: ", 1)[-1].strip(), "no message"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its digest."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            found[str(path.relative_to(folder))] = digest(path)
    return found


def results(root: Path) -> dict[str, str]:
    """Every file of a workspace whose content must not depend on what happened."""
    found = contents(root)
    return {
        name: value
        for name, value in found.items()
        if Path(name).name not in _NOT_COMPARED and not name.startswith(_NOTES)
    }


def refuses_with_the_file(outcome: Outcome) -> bool:
    """Whether a damaged file was refused as it should be."""
    return outcome.code == 3 and "error: " in outcome.text and "Traceback" not in outcome.text


def is_whole(path: Path) -> bool:
    """Whether a checkpoint loads."""
    try:
        checkpoint.load(path)
    except RunError:
        return False
    return True
