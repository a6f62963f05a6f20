"""Speed and evenness of plans and packs, beside the unavoidable work and what a user would do.

    python benchmarks/data.py plans packs loader

Measured interleaved, A-B-A-B, after one round that does not count; ratios are taken within a round.
Results go to data.json and data.md beside this file; parts that are not named keep what they had.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from comp.config import ImageConfig
from comp.data.augment import make_recipe
from comp.data.dataset import train_loader
from comp.data.images import fit, read_image
from comp.data.index import Index
from comp.data.pack import open_pack
from comp.data.packing import cores
from comp.data.spread import spread_images
from comp.data.store import gather

HERE = Path(__file__).parent
ROUNDS = 5
SIDE, RATE = 331, 2500  # pixels; images a second of a model that is stood in for
SHAPES = {"letters": (50_000, 26, 0.46), "wide": (100_000, 100, 0.03), "dense": (100_000, 100, 0.5)}


def timed(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def summary(values: list[float]) -> dict[str, float]:
    """Minimum, median and maximum."""
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {"min": round(low, 4), "median": round(middle, 4), "max": round(high, 4)}


def evenness(hot: Any, fold: Any) -> dict[str, Any]:
    counts = np.stack([hot[fold == k].sum(axis=0) for k in range(5)])
    apart = np.ptp(counts, axis=0)
    sizes = np.bincount(fold)
    return {
        "labels not within 1": int((apart > 1).sum()),
        "worst label": int(apart.max()),
        "sizes": [int(sizes.min()), int(sizes.max())],
    }


def plans() -> dict[str, Any]:
    """P9: ours and iterative-stratification's."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    out: dict[str, Any] = {}
    for name, (rows, columns, share) in SHAPES.items():
        hot = (np.random.default_rng(0).random((rows, columns)) < share).astype(np.int64)
        folds: dict[str, Any] = {}

        def ours(hot: Any = hot, folds: Any = folds) -> None:
            folds["ours"] = spread_images(hot, 5, 42)

        def peer(hot: Any = hot, folds: Any = folds) -> None:
            fold = np.empty(len(hot), dtype=np.int64)
            splitter = MultilabelStratifiedKFold(5, shuffle=True, random_state=42)
            for number, (_, valid) in enumerate(splitter.split(hot, hot)):
                fold[valid] = number
            folds["peer"] = fold

        pairs = [(timed(ours), timed(peer)) for _ in range(ROUNDS + 1)][1:]
        out[name] = {
            "shape": [rows, columns, share],
            "seconds": summary([a for a, _ in pairs]),
            "peer seconds": summary([b for _, b in pairs]),
            "peer / ours": summary([b / a for a, b in pairs]),
            "ours": evenness(hot, folds["ours"]),
            "peer": evenness(hot, folds["peer"]),
        }
    return out


def photos(folder: Path, count: int, size: int = 512) -> Index:
    """JPEG files of blurred noise, about as large as photographs of that size."""
    folder.mkdir(exist_ok=True)
    ids, paths = [], []
    for number in range(count):
        draw = np.random.default_rng(number)
        small = draw.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
        image = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
        ids.append(f"{number:05d}")
        paths.append(folder / f"{number:05d}.jpg")
        paths[-1].write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    return Index(tuple(ids), tuple(paths), ("a", "b"))


def decode_all(index: Index, image: ImageConfig) -> None:
    """Decode and resize on all cores, and nothing else."""
    cv2.setNumThreads(1)
    blocks = [index.paths[start : start + 16] for start in range(0, len(index), 16)]

    def block(paths: tuple[Path, ...]) -> None:
        for path in paths:
            fit(read_image(path), image.size, image.resize)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(block, blocks))


_ALONE = """
import resource, sys, time, pickle
from pathlib import Path
from comp.config import ImageConfig
from comp.data.pack import open_pack
index = pickle.load(open(sys.argv[1], "rb"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
begin = time.perf_counter()
open_pack(index, ImageConfig(size=int(sys.argv[3])), Path(sys.argv[2]))
spent = time.perf_counter() - begin
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, spent)
"""


def alone(index: Index, cache: Path, size: int) -> dict[str, float]:
    """Opening (and, where need be, building) a pack in a process of its own: MB and seconds."""
    import pickle

    saved = cache.parent / "index.pickle"
    saved.write_bytes(pickle.dumps(index))
    words = [sys.executable, "-c", _ALONE, str(saved), str(cache), str(size)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    before, peak, seconds = map(float, told)
    return {"MB before": round(before), "MB peak": round(peak), "seconds": round(seconds, 3)}


def packs(work: Path) -> dict[str, Any]:
    """P5, P4, P2."""
    image = ImageConfig(size=331)
    index = photos(work / "large", 1000)
    build, limit = [], []
    for number in range(ROUNDS + 1):
        build.append(timed(lambda n=number: open_pack(index, image, work / f"cache{n}")))
        limit.append(timed(lambda: decode_all(index, image)))
    ratios = [b / a for a, b in zip(build[1:], limit[1:], strict=True)]
    made = open_pack(index, image, work / "cache1")
    order = [np.random.default_rng(n).permutation(len(index))[:1024] for n in range(ROUNDS + 1)]
    loader = [
        (
            timed(lambda r=r: np.take(np.asarray(made.images), r, axis=0)),
            timed(lambda r=r: gather(made.images, r)),
            timed(lambda r=r: [fit(read_image(index.paths[k]), 331, "stretch") for k in r]),
        )
        for r in order
    ][1:]
    small = photos(work / "small", 500, 32)
    many = Index(
        tuple(f"{n:05d}" for n in range(50_000)),
        tuple(small.paths[n % len(small)] for n in range(50_000)),
        ("a", "b"),
    )
    alone(many, work / "many", 32)  # what opening costs is by rows, not by pixels
    return {
        "packing / (decode + resize)": summary(ratios),
        "images a second": summary([len(index) / each for each in build[1:]]),
        "building, alone": alone(index, work / "alone", 331),
        "opening 50,000 rows, alone": alone(many, work / "many", 32),
        "gather / memcpy": summary([a / b for a, b, _ in loader]),
        "files / gather": summary([c / b for _, b, c in loader]),
    }


class JpegFiles(torch.utils.data.Dataset[Any]):
    """What a user would do: an item is a file, decoded and resized."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Any:
        image = cv2.resize(cv2.imread(str(self.paths[row])), (SIDE, SIDE))
        return torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def whole(batches: Any, pause: float = 0.0) -> int:
    """The images of all batches; `pause` seconds are slept for each, as a model would compute."""
    seen = 0
    for batch in batches:
        images = batch[0] if isinstance(batch, tuple) else batch
        time.sleep(pause * len(images))
        seen += len(images)
    return seen


def loader(work: Path) -> dict[str, Any]:
    """P2, P3, P13, at 331 px."""
    index = photos(work / "photos", 1024)
    made = open_pack(index, ImageConfig(size=SIDE), work / "cache")
    images, rows = made.images, np.arange(len(index))
    target = np.zeros(len(rows), np.int64)
    plain, flips = make_recipe("none", SIDE), make_recipe("flips_rotate", SIDE)
    keys: Any = {"seed": 0, "fold": 0, "batch_size": 64}
    ours = train_loader(images, rows, target, plain, workers=0, **keys)
    often = np.tile(rows, 8)
    fed = train_loader(images, often, target, plain, workers=1, **keys)
    files = torch.utils.data.DataLoader(JpegFiles(index.paths), 64, num_workers=cores())
    order = np.random.default_rng(0).permutation(rows)
    some = [np.asarray(images[row]) for row in rows[:256]]
    floats = [image.astype(np.float32) / 255 for image in some]

    def memcpy() -> None:
        for start in range(0, len(order), 64):
            np.take(np.asarray(images), order[start : start + 64], axis=0)

    def bare(pixels: list[Any]) -> None:
        draw = np.random.default_rng(0)
        for image in pixels:
            for axis in (0, 1):
                image = cv2.flip(image, axis) if draw.random() < 0.5 else image
            if draw.random() < 0.8:
                matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), draw.uniform(-40, 40), 1)
                cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)

    rounds = []
    for number in range(ROUNDS + 1):
        cv2.setNumThreads(1)
        fed_in = timed(lambda n=number: whole(fed.epoch(n), 1 / RATE))
        recipe = timed(
            lambda n=number: [flips(image, 1000 * n + k) for k, image in enumerate(some)]
        )
        rounds.append(
            (
                timed(memcpy) / timed(lambda n=number: whole(ours.epoch(n))),
                timed(lambda: whole(files)) / timed(lambda n=number: whole(ours.epoch(n))),
                len(often) / RATE / fed_in,
                timed(lambda: bare(some)) / recipe,
                timed(lambda: bare(floats)) / recipe,
                len(some) / recipe,
            )
        )
    names = (
        "memcpy / loader",
        "DataLoader of files / loader",
        f"share of {RATE} images a second",
        "OpenCV's calls / recipe",
        "OpenCV's calls on floats / recipe",
        "recipe: images a second",
    )
    return {name: summary([one[place] for one in rounds[1:]]) for place, name in enumerate(names)}


def main() -> None:
    """Measure the parts that are named."""
    path = HERE / "data.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    for part in sys.argv[1:] or ["plans", "packs", "loader"]:
        about = {
            "machine": f"{platform.processor() or platform.machine()}, {cores()} cores",
            "load before": round(os.getloadavg()[0], 1),
            "versions": {
                name: metadata.version(name) for name in ("numpy", "opencv-python-headless")
            },
        }
        if part == "plans":
            found = plans()
        else:
            with tempfile.TemporaryDirectory() as folder:
                found = {"packs": packs, "loader": loader}[part](Path(folder))
        results[part] = {**about, "results": found}
    path.write_text(json.dumps(results, indent=2) + "\n")
    lines = ["# Plans and packs", "", "Made by `python benchmarks/data.py`.", ""]
    for part, measured in results.items():
        lines += [f"## {part}: {measured['machine']}, load {measured['load before']} before", ""]
        lines += ["| what | result |", "|---|---|"]
        lines += [
            f"| {name} | {json.dumps(value)} |" for name, value in measured["results"].items()
        ]
        lines.append("")
    (HERE / "data.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
