"""A million rows: how long the index, the plan and the ensemble take, and how much memory.

    python benchmarks/million.py index plan ensemble

No image is decoded: the files of the images are links to an empty one. Each part runs in a process
of its own; its memory is the largest resident size. `ROWS=10000` in the environment takes fewer
rows. Results go to million.json and million.md beside this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from measure import keep

REPOSITORY = Path(__file__).parent.parent
ROWS = int(os.environ.get("ROWS", 1_000_000))
CLASSES, TESTS = 10, 1000

_STEP = """
import sys, time
begin = time.perf_counter()
sys.argv = ["comp", *sys.argv[1:]]
try:
    exec(PROGRAM)
except SystemExit as done:
    code = int(done.code or 0)
else:
    code = 0
spent = time.perf_counter() - begin
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
print(f"\\n{code} {spent:.1f} {peak:.0f}")
"""

_COMP = "from comp.cli.main import main; main()"

_INDEX = """
from pathlib import Path
from comp.config.loading import load_config
from comp.stages.experiment import open_experiment, read_train
index = read_train(open_experiment(load_config(Path("million.yaml"), [])))
assert len(index) == int(sys.argv[1])
"""

_ENSEMBLE = """
import numpy as np
from comp.ensemble.compare import judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS
rows, classes, members, weigher = int(sys.argv[1]), 10, int(sys.argv[2]), sys.argv[3]
draw = np.random.default_rng(0)
target = draw.integers(classes, size=rows)
probs = []
for _ in range(members):
    logits = draw.standard_normal((rows, classes), dtype=np.float32)
    logits[np.arange(rows), target] += 1.5
    np.exp(logits, out=logits)
    probs.append(logits / logits.sum(axis=1, keepdims=True))
given = TASKS["multiclass"], METRICS["macro_f1"], target, np.arange(rows) % 5, tuple(probs)
row = judge_row(TableEvidence(*given, classes), VOTES["soft"], weigher, Fitting(True, 0))
print(row.scores)
"""


def step(folder: Path, program: str, *words: str) -> dict[str, float]:
    """Seconds and MB of a program in a process of its own."""
    paths = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    text = _STEP.replace("PROGRAM", repr(program))
    command = [sys.executable, "-c", text, *words]
    done = subprocess.run(command, cwd=folder, env=paths, capture_output=True, text=True)
    code, seconds, peak = (done.stdout.split("\n")[-2] if done.stdout else "1 0 0").split()
    assert (done.returncode, code) == (0, "0"), done.stdout + done.stderr
    return {"seconds": float(seconds), "MB": float(peak)}


def lay(folder: Path) -> None:
    """The competition: a table, and a link for each image."""
    empty = folder / "empty"
    empty.touch()
    for part, count in (("train", ROWS), ("test", TESTS)):
        (folder / "input" / part).mkdir(parents=True)
        for number in range(count):
            os.link(empty, folder / f"input/{part}/{part[0]}{number:07}.png")
    with (folder / "input/train.csv").open("w") as table:
        table.write("id,label\n")
        table.writelines(f"t{n:07},c{n * 7919 % CLASSES}\n" for n in range(ROWS))
    with (folder / "input/sample_submission.csv").open("w") as table:
        table.write("id,label\n")
        table.writelines(f"t{n:07},c0\n" for n in range(TESTS))
    tree: dict[str, Any] = {"name": "million", "task": "multiclass", "metric": "macro_f1"}
    tree["data"] = {"root": "input", "id": "id", "target": "label"}
    (folder / "million.yaml").write_text(yaml.safe_dump(tree))


def _folder() -> tempfile.TemporaryDirectory[str]:
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def index() -> dict[str, Any]:
    """Reading the table and finding each file."""
    with _folder() as folder:
        lay(Path(folder))
        return {"rows": ROWS, **step(Path(folder), _INDEX, str(ROWS))}


def plan() -> dict[str, Any]:
    """`comp folds make`, and `comp folds show` that reads it back."""
    with _folder() as folder:
        lay(Path(folder))
        words = ["-c", "million.yaml"]
        made = step(Path(folder), _COMP, "folds", "make", *words)
        shown = step(Path(folder), _COMP, "folds", "show", *words)
        about = json.loads((Path(folder) / "folds/million.json").read_text())
    return {"rows": ROWS, "made": made, "read": shown, "scheme": about["scheme"]}


def ensemble() -> dict[str, Any]:
    """Offsets of ten classes fitted and cross-fitted, with one member and with three to weigh."""
    with _folder() as folder:
        one = step(Path(folder), _ENSEMBLE, str(ROWS), "1", "equal")
        three = step(Path(folder), _ENSEMBLE, str(ROWS), "3", "greedy")
    return {"rows": ROWS, "one member": one, "three members, greedy": three}


if __name__ == "__main__":
    parts = {part.__name__: part for part in (index, plan, ensemble)}
    keep(
        os.environ.get("KEEP", "million"),
        "A million rows",
        parts,
        ["numpy", "pandas", "scikit-learn"],
    )
