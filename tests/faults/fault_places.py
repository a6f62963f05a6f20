"""Commands where something around them is scarce or odd: the disk, file handles, memory, the clock.

Each case runs one command of `fault_kills.VICTIMS` so that it may fail, and once more as it should
be. A command that fails says why in one error with exit code 1 and leaves nothing half done: the
second run ends as if nothing had happened.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults.fault_cases import Case, Stage
from faults.fault_kills import CONFIG, VICTIMS, Ready, Victims
from faults.fault_world import COMMANDS, TESTS, Outcome, World, contents, results
from toys import paint, write_csv

GROUP = "surroundings"
SIZES = 12  # of small disks, from one that is full at once to one with room for everything
PAGE = 4096
FEW_FILES = 64  # `ulimit -n`
MEMORY = (4, 16, 64, 256)  # MiB more than a process has after its imports
CLOCKS = {"back a day": -86_400.0, "back to 1970": -1.7e9, "on ten years": 3.2e8}
NOBODY = 65534
SETS = {  # the class numbers of the training images
    "no rows": [],
    "one image": [0],
    "one class": [0] * 8,
    "one image of each class": [0, 1, 2],
}
KINDS_OF_SETS = ("binary", "multiclass", "multilabel")

# `python -m comp` with the network of the toy
PROGRAM = "import sys; from faults import fault_toy; from comp.cli.main import main; main()"


def can_mount() -> bool:
    """Whether this process may put a file system somewhere."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def fails_well(outcome: Outcome, allowed: tuple[int, ...] = (1,), findings: bool = False) -> None:
    """AssertionError unless it is one error without a traceback and with an exit code allowed.

    findings: `comp check` lists errors of the data before.
    """
    assert "Traceback" not in outcome.text, outcome.text
    assert outcome.code in allowed, f"exit code {outcome.code}: {outcome.text}"
    errors = [line for line in outcome.text.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 or (errors and findings), f"not one error: {outcome.text}"
    assert errors[-1].removeprefix("error:").strip(), "no message"


def ends_the_same(world: World, ready: Ready, root: Path) -> None:
    """The command again, undisturbed; AssertionError unless it ends as it always does."""
    outcome = world.run(root, [ready.command])
    assert outcome.code == 0, f"exit code {outcome.code}: {outcome.text}"
    found = results(root)
    different = [name for name, value in ready.final.items() if found.get(name) != value]
    assert not different, f"I2: {different}"
    left = found.keys() - ready.final.keys() - ready.loose
    assert not left, f"I8: {sorted(left)}"
    assert contents(world.input) == world.untouched, "I7"


def under(victims: Victims, name: str, **limits: Any) -> str:
    """A command under limits that its process sets itself; then without."""
    ready, world = victims.ready(name), victims.world
    root = world.copy(ready.start, "case")
    outcome = world.run(root, [ready.command], **limits)
    if outcome.code:
        fails_well(outcome)
    ends_the_same(world, ready, root)
    return "survived" if outcome.code == 0 else "refused"


def small_disk(victims: Victims, name: str, share: float, inodes: int | None = None) -> str:
    """A command on a disk that has room for a share of what it writes; then on a larger one.

    inodes: how many more files the disk can hold; then its size is no limit.
    """
    ready, world = victims.ready(name), victims.world
    start, end = _room(ready.start), _room_of_end(victims, ready)
    size = start + int(share * (end - start)) if inodes is None else 64 << 20
    options = f"size={max(size, PAGE)}"
    if inodes is not None:
        options += f",nr_inodes={sum(1 for _ in ready.start.rglob('*')) + 2 + inodes}"
    root = world.folder / "disk"
    root.mkdir(exist_ok=True)
    _mount(["-t", "tmpfs", "-o", options, "tmpfs", str(root)])
    try:
        shutil.copytree(ready.start, root, dirs_exist_ok=True)
        outcome = world.run(root, [ready.command])
        if outcome.code:
            fails_well(outcome)
        _mount(["-o", "remount,size=64m,nr_inodes=10000", str(root)])
        ends_the_same(world, ready, root)
    finally:
        subprocess.run(["umount", str(root)], check=True)
    return "survived" if outcome.code == 0 else "refused"


def _mount(words: list[str]) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def _room(folder: Path) -> int:
    """The bytes that a tmpfs needs for a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in files)


def _room_of_end(victims: Victims, ready: Ready) -> int:
    root = victims.world.copy(ready.start, "end")
    victims.world.run(root, [ready.command])
    size = _room(root)
    shutil.rmtree(root)
    return size


def as_a_process(
    world: World, root: Path, words: list[str], before: list[str] | None = None, **over: str | None
) -> Outcome:
    """A command in a process of its own. over: its environment; None takes a name out."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    full: dict[str, str | None] = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **over}
    environment = {name: value for name, value in full.items() if value is not None}
    command = [*(before or []), sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return Outcome(done.returncode, [], [], {}, [], done.stdout + done.stderr)


def without_home(victims: Victims, name: str) -> str:
    """No HOME, and no folder for temporary files."""
    ready, world = victims.ready(name), victims.world
    root = world.copy(ready.start, "case")
    outcome = as_a_process(world, root, ready.command, HOME=None, TMPDIR="/proc/none")
    assert outcome.code == 0, f"exit code {outcome.code}: {outcome.text}"
    ends_the_same(world, ready, root)
    return "survived"


def another_user(victims: Victims, name: str, *, owns: bool) -> str:
    """As a user who may only read the input; the workspace is his own, or he may only read it."""
    ready, world = victims.ready(name), victims.world
    root = world.copy(ready.start, "case")
    _open_up(world.folder)
    for path in [root, *root.rglob("*")] if owns else []:
        os.chown(path, NOBODY, NOBODY)
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if not _same_python(user):  # ours lies where only we may read
        return "untouched"
    outcome = as_a_process(world, root, ready.command, user, HOME="/nonexistent", USER="nobody")
    if owns:
        assert outcome.code == 0, f"exit code {outcome.code}: {outcome.text}"
    else:
        fails_well(outcome)
        assert results(root) == results(ready.start), "something was written"
    ends_the_same(world, ready, root)
    return "survived" if owns else "refused"


def _same_python(user: list[str]) -> bool:
    """Whether another user runs this very interpreter by its path."""
    ask = [*user, sys.executable, "-c", "import sys; print(sys.version)"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return done.stdout.strip() == sys.version


def _open_up(folder: Path) -> None:
    """Let everybody read; the folders above too, as far as they are ours."""
    for above in (folder, *folder.parents):
        if above.stat().st_uid == os.geteuid() and above != above.parent:
            above.chmod(above.stat().st_mode | 0o755)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def small_set(world: World, kind: str, name: str) -> str:
    """Every command on a set with hardly any images: it ends, or says why not in one error."""
    labels = [min(label, 1) for label in SETS[name]] if kind == "binary" else SETS[name]
    root = world.workspace("case", task=kind, data__root="input", **_targets(kind))
    columns = ["label"] if kind != "multilabel" else ["bright", "odd"]
    rows = [[f"{n:05d}", *([label] * len(columns))] for n, label in enumerate(labels)]
    rows = [[row[0], *(int(cell > 0) for cell in row[1:])] if kind != "multiclass" else row
            for row in rows]  # fmt: skip
    write_csv(root / "input/train.csv", [["id", *columns], *rows])
    for number in range(len(rows)):
        paint(root / f"input/train/{number:05d}.png", 60 + 40 * number, seed=number, size=8)
    (root / "input/train").mkdir(exist_ok=True)
    tests = [["t0", *([0] * len(columns))], ["t1", *([0] * len(columns))]]
    write_csv(root / "input/sample_submission.csv", [["id", *columns], *tests])
    for number in range(2):
        paint(root / f"input/test/t{number}.png", 90, seed=100 + number, size=8)
    failed = False
    for words in (["check", *CONFIG], *COMMANDS):
        outcome = world.run(root, [words])
        if outcome.code:
            fails_well(outcome, (1, 2, 3), findings=words[0] == "check")
            failed = True
    written = root / "submissions/toy.csv"
    assert written.exists() or failed, "no submission, and no reason"
    return "refused" if failed else "survived"


def _targets(kind: str) -> dict[str, Any]:
    return {"data__target": ["bright", "odd"]} if kind == "multilabel" else {}


def places(victims: Callable[[Stage], Victims]) -> Iterator[Case]:
    """Every surrounding for every command."""

    def case(kind: str, label: str, run: Callable[[Victims], str]) -> Case:
        return Case(GROUP, kind, label, lambda stage: run(victims(stage)))

    for kind in KINDS_OF_SETS:
        for name in SETS:
            yield case(
                "small sets", f"{kind}, {name}", lambda v, k=kind, n=name: small_set(v.world, k, n)
            )
    for name in VICTIMS:
        yield case("open files", name, lambda v, n=name: under(v, n, files=FEW_FILES))
        for room in MEMORY:
            label = f"{name}, {room} MiB"
            yield case("memory", label, lambda v, n=name, m=room: under(v, n, memory=m << 20))
        for clock, jump in CLOCKS.items():
            label = f"{name}, {clock}"
            yield case("clock", label, lambda v, n=name, j=jump: under(v, n, clock=j))
        yield case("no HOME", name, lambda v, n=name: without_home(v, n))
        if not can_mount():
            continue
        for number in range(SIZES):
            label, share = f"{name} {number} of {SIZES}", number / (SIZES - 1) * 1.1
            yield case("small disk", label, lambda v, n=name, s=share: small_disk(v, n, s))
        for inodes in range(SIZES):
            label = f"{name}, {inodes} files"
            yield case("few inodes", label, lambda v, n=name, i=inodes: small_disk(v, n, 1, i))
        for owns in (True, False):
            label = f"{name}, {'own' if owns else 'read-only'} workspace"
            yield case("another user", label, lambda v, n=name, o=owns: another_user(v, n, owns=o))
