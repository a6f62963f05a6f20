"""Ten thousand to a million rows: the time and the memory of each step, as curves.

    python benchmarks/scale.py index plan neighbours predict ensemble pack extrapolated curves

Each step runs in a process of its own, on one thread; its memory is the largest resident size. What
is drawn instead of decoded is said with each part. Results go to scale.json, scale.md and scale.png
beside this file. `SIZES=10000,100000` in the environment takes other numbers of rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measure import keep

REPOSITORY = Path(__file__).parent.parent
SIZES = [int(text) for text in os.environ.get("SIZES", "10000,100000,1000000").split(",")]
CLASSES, TESTS = 1000, 1000

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
index = read_train(open_experiment(load_config(Path("scale.yaml"), [])))
assert len(index) == int(sys.argv[1])
"""

# Drawn thumbnails: noise of four sizes; one in twenty is another one turned and saved as JPEG
_NEIGHBOURS = """
import json, time
import cv2
import numpy as np
from comp.check.duplicates.candidate_pairs import _FRAME, _NEIGHBOURS, THUMB, frame_codes
from comp.check.duplicates import neighbours
count, how = int(sys.argv[1]), sys.argv[2]
draw = np.random.default_rng(0)
codes = np.empty((count, 90), dtype=np.float32)
pictures = np.empty((1000, THUMB, THUMB), dtype=np.uint8)
for first in range(0, count, 1000):
    fresh = np.zeros((1000, THUMB, THUMB), dtype=np.float32)
    for side, share in ((3, 1.0), (6, 0.7), (12, 0.5), (24, 0.3)):
        noise = draw.standard_normal((1000, side, side), dtype=np.float32)
        wide = cv2.resize(np.eye(side, dtype=np.float32), (side, THUMB), interpolation=2)
        fresh += share * (wide @ noise @ wide.T)
    fresh *= 45 / fresh.std(axis=(1, 2), keepdims=True)
    fresh = np.clip(fresh + 128, 0, 255).astype(np.uint8)
    for row in np.flatnonzero(draw.random(1000) < (0.05 if first else 0)):
        turned = np.rot90(pictures[draw.integers(1000)], draw.integers(4))
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(draw.integers(15, 90))]
        saved = cv2.imencode(".jpg", np.ascontiguousarray(turned), quality)[1]
        fresh[row] = cv2.imdecode(saved, cv2.IMREAD_GRAYSCALE)
    pictures = fresh
    codes[first : first + 1000] = frame_codes(fresh)
neighbours.MANY = 0 if how == "index" else count
begin = time.perf_counter()
near = neighbours.nearest(codes, _FRAME, _NEIGHBOURS)
found = {(row, int(j)) for row, others in near for j in others}
spent = time.perf_counter() - begin
rows = np.sort(draw.choice(count, 5000, replace=False))
wanted = set()
for part in np.array_split(rows, 50):
    near = codes[part] @ codes.T >= _FRAME
    wanted |= {(int(part[i]), int(j)) for i, j in zip(*np.nonzero(near)) if part[i] != j}
recall = len(wanted & found) / len(wanted)
print(json.dumps({"seconds": round(spent, 2), "pairs": len(found), "of a sample": len(wanted),
                  "recall": round(recall, 5)}))
"""

_PREDICT = """
from pathlib import Path
import numpy as np
from comp.inference.predictions import Predictions, save_pieces
count, classes = int(sys.argv[1]), int(sys.argv[2])
ids = [f"t{number:07}" for number in range(count)]
names = [f"c{number}" for number in range(classes)]
def pieces():
    draw = np.random.default_rng(0)
    for first in range(0, count, 1000):
        probs = draw.random((1000, classes), dtype=np.float32)
        yield probs / probs.sum(axis=1, keepdims=True)
save_pieces(Path("probs"), ids, pieces(), names, "softmax", {})
assert len(Predictions.load(Path("probs")).ids) == count
"""

_ENSEMBLE = """
import numpy as np
from comp.ensemble.compare import judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS
rows, classes = int(sys.argv[1]), int(sys.argv[2])
draw = np.random.default_rng(0)
target = draw.integers(classes, size=rows)
probs = draw.standard_normal((rows, classes), dtype=np.float32)
probs[np.arange(rows), target] += 3
np.exp(probs, out=probs)
probs /= probs.sum(axis=1, keepdims=True)
given = TASKS["multiclass"], METRICS["accuracy"], target, np.arange(rows) % 5, (probs,)
print(judge_row(TableEvidence(*given, classes), VOTES["soft"], "equal", Fitting(True, 0)).scores)
"""


def step(folder: Path, program: str, *words: object) -> dict[str, Any]:
    """Seconds and MB of a program in a process of its own, or what its last line says besides."""
    paths = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    text = _STEP.replace("PROGRAM", repr(program))
    command = [sys.executable, "-c", text, *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=paths, capture_output=True, text=True)
    lines = done.stdout.rstrip("\n").split("\n")
    code, seconds, peak = (lines[-1] if done.stdout else "1 0 0").split()
    assert (done.returncode, code) == (0, "0"), done.stdout + done.stderr
    said = [json.loads(line) for line in lines if line.startswith("{")]
    return {"seconds": float(seconds), "MB": float(peak), **(said[-1] if said else {})}


def lay(folder: Path, rows: int) -> None:
    """The competition: a table, and for each image a link to one of a hundred drawn ones."""
    import cv2

    draw = np.random.default_rng(0)
    for number in range(110):
        noise = draw.integers(0, 255, size=(32, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    for part, letter, count, first, kinds in (
        ("train", "t", rows, 0, 100),
        ("test", "x", TESTS, 100, 10),
    ):
        (folder / "input" / part).mkdir(parents=True)
        for number in range(count):
            picture = folder / f"{first + number % kinds}.png"
            os.link(picture, folder / f"input/{part}/{letter}{number:07}.png")
    with (folder / "input/train.csv").open("w") as table:
        table.write("id,label\n")
        table.writelines(f"t{n:07},c{n * 7919 % CLASSES}\n" for n in range(rows))
    with (folder / "input/sample_submission.csv").open("w") as table:
        table.write("id,label\n")
        table.writelines(f"x{n:07},c0\n" for n in range(TESTS))
    tree: dict[str, Any] = {"name": "scale", "task": "multiclass", "metric": "accuracy"}
    tree["data"] = {"root": "input", "id": "id", "target": "label"}
    tree["image"] = {"size": 32}
    (folder / "scale.yaml").write_text(yaml.safe_dump(tree))


def each(
    work: Callable[[Path, int], dict[str, Any]], sizes: list[int], *, laid: bool = False
) -> dict[str, Any]:
    """What `work` gives in a folder of its own, in memory where that is a disk, for each size."""
    memory, found = Path("/dev/shm"), {}
    for rows in sizes:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
            if laid:
                lay(Path(name), rows)
            found[f"{rows} rows"] = work(Path(name), rows)
            print(rows, found[f"{rows} rows"], flush=True)
    return found


def index() -> dict[str, Any]:
    """Reading the table and finding each file."""
    return each(lambda folder, rows: step(folder, _INDEX, rows), SIZES, laid=True)


def plan() -> dict[str, Any]:
    """`comp folds make`."""
    words = ["folds", "make", "-c", "scale.yaml"]
    return each(lambda folder, rows: step(folder, _COMP, *words), SIZES, laid=True)


def pack() -> dict[str, Any]:
    """`comp pack` of images of 32 x 32, links to a hundred of them."""
    words = ["pack", "-c", "scale.yaml"]
    return each(lambda folder, rows: step(folder, _COMP, *words), SIZES[:-1], laid=True)


def neighbours() -> dict[str, Any]:
    """Near-duplicates of drawn thumbnails: their vectors straight into the index, and the first
    size by all pairs. Seconds are of the search; recall against all pairs of 5,000 images."""
    sizes = [*SIZES[:-1], SIZES[-1] // 2]
    pairs = each(lambda folder, rows: step(folder, _NEIGHBOURS, rows, "pairs"), sizes[:1])
    return {
        "all pairs": pairs,
        "index": each(lambda folder, rows: step(folder, _NEIGHBOURS, rows, "index"), sizes),
    }


def predict() -> dict[str, Any]:
    """Drawn probabilities of 1,000 classes, written piece by piece and opened again."""
    return each(lambda folder, rows: step(folder, _PREDICT, rows, CLASSES), SIZES)


def ensemble() -> dict[str, Any]:
    """One member of 1,000 classes, drawn: its rule fitted and cross-fitted, accuracy."""
    return each(lambda folder, rows: step(folder, _ENSEMBLE, rows, CLASSES), SIZES[:-1])


def extrapolated() -> dict[str, Any]:
    """Seconds of the search for near-duplicates that were not measured: N log N from the largest
    size that was."""
    path = Path(__file__).with_suffix(".json")
    table = json.loads(path.read_text())["neighbours"]["results"]["index"]
    sizes = {int(key.split()[0]): row["seconds"] for key, row in table.items()}
    most = max(sizes)
    each_one = sizes[most] / (most * np.log(most))
    wanted = [rows for rows in (500_000, 1_000_000) if rows > most]
    return {f"{rows} rows": round(each_one * rows * np.log(rows), 1) for rows in wanted}


def curves() -> dict[str, Any]:
    """Draw scale.png: seconds and MB of each part that was measured, by rows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    results = json.loads(Path(__file__).with_suffix(".json").read_text())
    picture, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for name, part in results.items():
        if name in ("extrapolated", "curves"):
            continue
        table = part["results"].get("index", part["results"])
        points = [(int(key.split()[0]), row) for key, row in table.items() if key.endswith(" rows")]
        rows = [count for count, _ in points]
        for axis, what in zip(axes, ("seconds", "MB"), strict=True):
            if rows:
                axis.plot(rows, [row[what] for _, row in points], marker="o", label=name)
    for axis, what in zip(axes, ("seconds", "peak resident MB"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="rows", ylabel=what)
        axis.grid(alpha=0.3)
    x = np.array([1e4, 1e6])
    axes[0].plot(x, x * np.log(x) * 2e-5, "k:", label="N log N")
    axes[0].legend()
    picture.savefig(Path(__file__).with_suffix(".png"), dpi=110)
    return {"drawn": "scale.png"}


if __name__ == "__main__":
    steps = (index, plan, neighbours, predict, ensemble, pack, extrapolated, curves)
    keep(
        "scale",
        "Ten thousand to a million rows",
        {part.__name__: part for part in steps},
        ["numpy", "pandas", "scikit-learn", "faiss-cpu"],
    )
