"""What `comp check` costs for many small images, and what a kill costs it.

    python benchmarks/check.py [IMAGES] [FOLDER]

Makes images of 64 px (one in twenty is another one saved again), checks them in a process that is
killed (kill -9) after a minute, checks them again to the end, and once more. Memory is what the
process holds without files (RssAnon), sampled every half second. Results go to check.json and
check.md beside this file, by the number of images.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.check.image_stats import cores

HERE = Path(__file__).parent
SIDE, KILL_AFTER = 64, 60.0
CONFIG = "name: many\ntask: multiclass\nmetric: macro_f1\ndata: {root: input, target: label}\n"
Array = np.ndarray[Any, Any]


def pictures(count: int, draw: Any) -> list[Array]:
    """(256, 256, 3) float32 with structure at several scales."""
    out = []
    for _ in range(count):
        layers = [
            cv2.resize(draw.normal(0, 45 / n**0.3, (n, n, 3)).astype(np.float32), (256, 256))
            for n in (4, 16, 48)
        ]
        out.append(np.sum(layers, axis=0) + 128)
    return out


def make(folder: Path, count: int) -> None:
    """The images, the tables and the config of a competition."""
    draw = np.random.default_rng(0)
    some = pictures(400, draw)
    for part in ("train", "test"):
        (folder / "input" / part).mkdir(parents=True)
    rows = [["id", "label"]]
    for number in range(count):
        top, left = draw.integers(0, 256 - SIDE, 2)
        own = cv2.resize(draw.normal(0, 30, (12, 12, 3)).astype(np.float32), (SIDE, SIDE))
        crop = some[draw.integers(len(some))][top : top + SIDE, left : left + SIDE]
        pixels = np.clip(crop / 2 + own + 64, 0, 255).astype(np.uint8)
        place = folder / f"input/train/{number:06d}.jpg"
        if number % 20 == 19:
            pixels = cv2.imread(str(place.with_name(f"{number - 3:06d}.jpg")))
        cv2.imwrite(str(place), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
        rows.append([f"{number:06d}", str(draw.integers(4))])
    cv2.imwrite(str(folder / "input/test/t.jpg"), some[0][:SIDE, :SIDE])
    for name, table in (("train", rows), ("sample_submission", [["id", "label"], ["t", "0"]])):
        with (folder / f"input/{name}.csv").open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, lineterminator="\n").writerows(table)
    (folder / "many.yaml").write_text(CONFIG)


def run(folder: Path, kill_after: float | None = None) -> dict[str, Any]:
    """One `comp check`: seconds, the most memory, and the blocks of images that are remembered."""
    begin, most = time.perf_counter(), 0
    command = [sys.executable, "-m", "comp", "check", "-c", "many.yaml"]
    with (folder / "log.txt").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        while child.poll() is None:
            time.sleep(0.5)
            most = max(most, memory(child.pid))
            if kill_after is not None and time.perf_counter() - begin > kill_after:
                child.send_signal(signal.SIGKILL)
                child.wait()
    return {
        "exit code": child.returncode,
        "seconds": round(time.perf_counter() - begin, 1),
        "peak MB": most // 1024,
        "blocks of 128 images remembered": len([*(folder / "cache/check").glob("*.npz")]),
    }


def memory(pid: int) -> int:
    """Kilobytes that a process holds without files; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def main() -> None:
    """Measure one number of images, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=int, default=50_000)
    parser.add_argument("folder", nargs="?", help="where the images are made")
    options = parser.parse_args()
    count, load = options.images, os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make(folder, count)
        runs = {"killed": run(folder, KILL_AFTER), "again": run(folder), "once more": run(folder)}
        groups = len(json.loads((folder / "checks/many.json").read_text())["proposals"])
    path = HERE / "check.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    results[str(count)] = {
        "machine": f"{platform.machine()}, {cores()} cores, load {load:.1f} before",
        "runs": runs,
        "groups": groups,
        "groups that were made": count // 20,
    }
    path.write_text(json.dumps(results, indent=2) + "\n")
    lines = ["# comp check of many small images", "", "Made by `python benchmarks/check.py`.", ""]
    for number, result in results.items():
        lines += [f"## {int(number):,} images of {SIDE} px, {result['machine']}", ""]
        lines += ["| run | " + " | ".join(runs["again"]) + " |", "|---|---|---|---|---|"]
        lines += [
            f"| {name} | " + " | ".join(map(str, one.values())) + " |"
            for name, one in result["runs"].items()
        ]
        lines += ["", f"Groups: {result['groups']} of {result['groups that were made']} made.", ""]
    (HERE / "check.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
