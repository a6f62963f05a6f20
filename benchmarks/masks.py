"""What masks cost in memory: training, predicting and ensembling sets of two sizes.

    python benchmarks/masks.py

Each command runs in a process of its own, as a user would start it; its memory is read from its
status while it runs: `RssAnon` is what it has of its own, and not what it maps from files. Pictures
are of 512 px with five classes, probabilities are kept at 512 px. Results go to masks.json and
masks.md beside this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measure import keep

HERE = Path(__file__).parent
SIDE, CLASSES = 512, 5
SETS = (125, 500)  # training images; half as many are tested
CONFIG = """
name: masks
task: segmentation
metric: dice
data:
  root: ROOT
  layout: masks
  train_images: train/images
  masks: train/masks
  sample_submission: null
  classes: [a, b, c, d, e]
folds: {count: 2}
image: {size: 32}
augment: {recipe: none}
model: {name: unet, encoder: tu-test_resnet, pretrained: false}
train: {epochs: 1, batch_size: 16, workers: 0, checkpoint_minutes: 30}
predict: {mask_size: 512}
"""


def pictures(folder: Path, count: int) -> None:
    """Photographs of noise with boxes of the colours of their classes, and their masks."""
    for part in ("train/images", "train/masks", "test"):
        (folder / part).mkdir(parents=True)
    for number in range(count + count // 2):
        draw = np.random.default_rng(number)
        small = draw.integers(0, 256, (SIDE // 16, SIDE // 16, 3), dtype=np.uint8)
        image = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        for _ in range(4):
            y, x, which = *draw.integers(0, SIDE - 128, 2), int(draw.integers(1, CLASSES + 1))
            mask[y : y + 128, x : x + 96] = which
            image[y : y + 128, x : x + 96] = (50 * which, 255 - 50 * which, 128)
        where = "train/images" if number < count else "test"
        cv2.imwrite(str(folder / where / f"{number:05d}.jpg"), image)
        if number < count:
            cv2.imwrite(str(folder / "train/masks" / f"{number:05d}.png"), mask)


class Watched:
    """The largest `RssAnon` and `VmHWM` of a process, MB."""

    def __init__(self, pid: int) -> None:
        self.pid, self.own, self.peak = pid, 0.0, 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while True:
            try:
                lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            except OSError:
                return
            status = {line.split(":")[0]: line.split()[1] for line in lines if " kB" in line}
            if "RssAnon" not in status:
                return  # it has ended
            self.own = max(self.own, int(status["RssAnon"]) / 1024)
            self.peak = max(self.peak, int(status["VmHWM"]) / 1024)
            time.sleep(0.02)

    def join(self) -> None:
        self._thread.join()


def comp(work: Path, words: list[str]) -> dict[str, float]:
    """Seconds and memory of a command."""
    command = [sys.executable, "-m", "comp", *words, "-c", "masks.yaml", "-q"]
    paths = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    begin = time.perf_counter()
    with (work / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=work, env=paths, stdout=log, stderr=log)
        watched = Watched(process.pid)
        code = process.wait()
    seconds = time.perf_counter() - begin
    watched.join()
    if code:
        raise SystemExit((work / "log").read_text())
    return {"s": round(seconds, 1), "MB own": round(watched.own), "MB peak": round(watched.peak)}


def memory() -> dict[str, Any]:
    """Every command, on each of SETS."""
    found: dict[str, Any] = {}
    for count in SETS:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            pictures(work / "data", count)
            (work / "masks.yaml").write_text(CONFIG.replace("ROOT", str(work / "data")))
            comp(work, ["folds", "make"])
            one: dict[str, Any] = {
                "train": comp(work, ["train", "--fold", "0..1"]),
                "predict": comp(work, ["predict", "--fold", "0..1"]),
            }
            kept = sum(p.stat().st_size for p in work.glob("runs/*/fold_*/*/probs.npy"))
            one["probabilities, MB"] = round(kept / 1e6)
            one["ensemble"] = comp(work, ["ensemble"])
            one["as float32, MB"] = round(4 * kept / 1e6)
            found[f"{count} images"] = one
    return found


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    keep(
        "masks",
        "Masks and memory",
        {"memory": memory},
        ["torch", "numpy", "opencv-python-headless"],
    )
