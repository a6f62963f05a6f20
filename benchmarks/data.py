"""Speed and evenness of plans, packs and loaders, beside the unavoidable work and what a user
would do.

    python benchmarks/data.py plans starts packs guards contents loader copying overlap augmentation

`starts` measures the training table that LETTERS names too (an id, then columns of 0 and 1).

Measured interleaved, A-B-A-B, after one round that does not count; ratios are taken within a round.
Results go to data.json and data.md beside this file; parts that are not named keep what they had.
"""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from measure import alone, interleaved, keep, ratios, summary, timed
from torch.utils.data import DataLoader, Dataset

from comp.config.schema import ImageConfig
from comp.core.known_digests import known_digests
from comp.data.cache.build import cores
from comp.data.cache.pack import open_pack
from comp.data.folds.starts import DEAL, ITERATIVE, iterative
from comp.data.folds.stratify import stratify_groups, stratify_images, unit_counts
from comp.data.images.decode import read_image
from comp.data.images.resize import fit
from comp.data.index.index import Index
from comp.data.index.tables import read_table
from comp.data.loader.batched.apply import moved
from comp.data.loader.batched.draws import Draws
from comp.data.loader.loader import Loader, train_loader
from comp.data.loader.recipes import RECIPES, make_recipe

ROUNDS = 5
SIZE = 331
BATCH = 64
RATE = 2500  # images a second of a stand-in for a network
GROUPED = {  # images, groups before empty ones are left out, labels
    "grouped, few": (2_000, 120, 12),
    "grouped, some": (8_000, 900, 20),
    "grouped, many": (50_000, 30_000, 26),
}
SHAPES = {"letters": (50_000, 26, 0.46), "wide": (100_000, 100, 0.03), "dense": (100_000, 100, 0.5)}


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
            folds["ours"] = stratify_images(hot, 5, 42)

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


def multilabel_sets() -> dict[str, tuple[Any, Any]]:
    """Labels (N, C) and groups (N,) or None, of each set that starts are compared on."""
    draw = np.random.default_rng(0)
    out: dict[str, tuple[Any, Any]] = {"drawn": ((draw.random((50_000, 26)) < 0.46) * 1, None)}
    if "LETTERS" in os.environ:
        table = read_table(Path(os.environ["LETTERS"]))
        out["letters"] = (table.frame.iloc[:, 1:].to_numpy(dtype=str) == "1") * 1, None
    for name, (rows, count, classes) in GROUPED.items():
        weight = draw.pareto(1.5, count) + 0.2
        numbers = draw.choice(count, rows, p=weight / weight.sum())
        groups = np.unique(numbers, return_inverse=True)[1]
        share = draw.beta(0.5, 2, (groups.max() + 1, classes))[groups]
        out[name] = (draw.random((rows, classes)) < share) * 1, groups
    return out


def starts() -> dict[str, Any]:
    """`folds.start`: both starts with their exchanges, and iterative stratification alone."""
    out: dict[str, Any] = {}
    for name, (hot, groups) in multilabel_sets().items():

        def plan(start: str, seed: int, hot: Any = hot, groups: Any = groups) -> Any:
            if groups is None:
                return stratify_images(hot, 5, seed, start)
            return stratify_groups(hot, groups, 5, seed, start)[groups]

        def alone(_: str, seed: int, hot: Any = hot, groups: Any = groups) -> Any:
            if groups is None:
                return iterative(hot, 5, seed)
            return iterative(unit_counts(hot, groups)[:, 1:] > 0, 5, seed)[groups]

        ways = {
            "iterative, no exchanges": (alone, ITERATIVE),
            "deal": (plan, DEAL),
            "iterative": (plan, ITERATIVE),
        }
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for seed in range(ROUNDS):
            for way, (work, start) in ways.items():
                begin = time.perf_counter()
                fold = work(start, seed)
                seconds = time.perf_counter() - begin
                found[way].append({**evenness(hot, fold), "seconds": seconds})
        out[name] = {
            "shape": list(hot.shape),
            "groups": None if groups is None else int(groups.max()) + 1,
        }
        for way, rows in found.items():
            sizes = [max(row["sizes"]) - min(row["sizes"]) for row in rows]
            out[name][way] = {
                "labels not within 1": summary([row["labels not within 1"] for row in rows]),
                "worst label": summary([row["worst label"] for row in rows]),
                "difference of sizes": summary(sizes),
                "seconds": summary([row["seconds"] for row in rows]),
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


_READY = """
import pickle
from pathlib import Path
from comp.config.schema import ImageConfig
from comp.core.known_digests import known_digests
from comp.data.cache.pack import open_pack
saved, cache, size = sys.argv[3:]
index = pickle.load(open(saved, "rb"))
"""
_OPEN = "open_pack(index, ImageConfig(size=int(size)), Path(cache))"


def opened(index: Index, cache: Path, size: int) -> dict[str, float]:
    """Opening (and, where need be, building) a pack in a process of its own: MB and seconds."""
    saved = cache.parent / "index.pickle"
    saved.write_bytes(pickle.dumps(index))
    return alone(_READY, _OPEN, str(saved), str(cache), str(size))


def packs() -> dict[str, Any]:
    """P5, P4."""
    image = ImageConfig(size=SIZE)
    build, limit = [], []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        index = photos(work / "large", 1000)
        for number in range(ROUNDS + 1):
            build.append(timed(lambda n=number: open_pack(index, image, work / f"cache{n}")))
            limit.append(timed(lambda: decode_all(index, image)))
        small = photos(work / "small", 500, 32)
        many = Index(
            tuple(f"{n:05d}" for n in range(50_000)),
            tuple(small.paths[n % len(small)] for n in range(50_000)),
            ("a", "b"),
        )
        built = opened(index, work / "alone", SIZE)
        opened(many, work / "many", 32)  # what opening costs is by rows, not by pixels
        return {
            "packing / (decode + resize)": summary(
                [b / a for a, b in zip(build[1:], limit[1:], strict=True)]
            ),
            "images a second": summary([len(index) / each for each in build[1:]], 0),
            "building 1,000 images, alone": built,
            "opening 50,000 rows, alone": opened(many, work / "many", 32),
        }


def packed(work: Path, count: int) -> tuple[Index, Any]:
    """Photographs, and them packed."""
    index = photos(work / "photos", count)
    return index, open_pack(index, ImageConfig(size=SIZE), work / "cache").images


class _Files(Dataset[Any]):
    """What a user would write: a file, decoded, resized, as a tensor."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.resize = A.Compose([A.Resize(SIZE, SIZE)])

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image = cv2.cvtColor(cv2.imread(str(self.index.paths[row])), cv2.COLOR_BGR2RGB)
        return torch.from_numpy(self.resize(image=image)["image"]), 0


def ours(images: Any, rows: np.ndarray[Any, Any], workers: int, recipe: str = "none") -> Loader:
    """The loader of the trainer."""
    return train_loader(
        images,
        rows,
        np.zeros(len(images), dtype=np.int64),
        make_recipe(recipe, SIZE),
        seed=1,
        fold=0,
        batch_size=BATCH,
        workers=workers,
    )


def guards() -> dict[str, Any]:
    """What it costs that each row is compared with its sum when it is first read: an epoch in which
    every row is, over one in which none is."""
    with tempfile.TemporaryDirectory() as folder:
        _, images = packed(Path(folder), 1024)
        rows = np.arange(1024)

        def epoch(one: Loader, rate: float, *, first: bool) -> None:
            if first:
                images.guard._seen[:] = 0
            for batch, _ in one.epoch(0):
                time.sleep(len(batch) / rate if rate else 0)

        out: dict[str, Any] = {}
        for name, recipe, rate in (
            ("the loader alone, no augmentation", "none", 0),
            ("the loader alone, flips_rotate", "flips_rotate", 0),
            (f"a network of {RATE} images a second", "none", RATE),
            (f"a network of {RATE // 10} images a second, flips_rotate", "flips_rotate", RATE / 10),
        ):
            one = ours(images, rows, 0, recipe)
            images.take(rows)
            found = interleaved(
                {
                    "first": lambda one=one, rate=rate: epoch(one, rate, first=True),
                    "later": lambda one=one, rate=rate: epoch(one, rate, first=False),
                },
                ROUNDS,
            )
            out[f"first epoch / a later one: {name}"] = ratios(found, "first", "later")
        return out


def contents() -> dict[str, Any]:
    """What it costs that content decides: looking at files that have not changed, and comparing
    those of a copied workspace, over decoding and resizing them."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        index, many = photos(work / "large", 500), photos(work / "small", 500, 32).paths * 100
        known_digests(many, work)
        time.sleep(3)  # a file that has just changed is not trusted
        known_digests(many, work)

        def copied() -> None:
            shutil.rmtree(work / "again", ignore_errors=True)
            known_digests(index.paths, work / "again")

        works = {"copied": copied, "decoded": lambda: decode_all(index, ImageConfig(size=SIZE))}
        seen = [timed(lambda: known_digests(many, work)) for _ in range(ROUNDS)]
        return {
            "seconds to look at 50,000 files": summary(seen, 3),
            "comparing / (decode + resize)": ratios(
                interleaved(works, ROUNDS), "copied", "decoded"
            ),
        }


def loader() -> dict[str, Any]:
    """P2. Without augmentation, so a thread copies, whatever the number of workers of ours."""
    with tempfile.TemporaryDirectory() as folder:
        index, images = packed(Path(folder), 1024)
        rows = np.arange(1024)
        order = np.random.default_rng(0).permutation(rows)
        buffer = np.empty((BATCH, SIZE, SIZE, 3), dtype=np.uint8)

        def copies() -> None:
            for start in range(0, len(order), BATCH):
                for place, row in enumerate(order[start : start + BATCH]):
                    buffer[place] = images[row]

        loaders = {n: ours(images, rows, n) for n in (0, 1)}
        peers = {
            n: DataLoader(
                _Files(index), BATCH, shuffle=True, num_workers=n, persistent_workers=n > 0
            )
            for n in (0, 2)
        }
        works: dict[str, Any] = {"memcpy": copies}
        for n, one in loaders.items():
            works[f"ours, {n} workers"] = lambda one=one: [len(x) for x, _ in one.epoch(0)]
        for n, peer in peers.items():
            works[f"DataLoader on files, {n} workers"] = lambda peer=peer: [len(x) for x, _ in peer]
        found = interleaved(works, ROUNDS)
        own, theirs = "ours, 0 workers", "DataLoader on files, 2 workers"
        return {
            "images a second": {k: summary([1024 / s for s in v], 0) for k, v in found.items()},
            "memcpy / ours, 0 workers": ratios(found, "memcpy", own),
            "memcpy / ours, 1 workers": ratios(found, "memcpy", "ours, 1 workers"),
            "DataLoader, 2 workers / ours, 0 workers": ratios(found, theirs, own),
            "DataLoader, 0 workers / ours, 0 workers": ratios(
                found, "DataLoader on files, 0 workers", own
            ),
        }


def copying() -> dict[str, Any]:
    """P2 without its peers. Images that are only copied (recipe `none`) are copied by a thread,
    whatever `train.workers` says, and no process is started; in seconds of the processor, which
    others on a busy machine do not lengthen. With a recipe, one process makes them and hands them
    over: in seconds of the clock, beside the same recipe without it."""
    with tempfile.TemporaryDirectory() as folder:
        _, images = packed(Path(folder), 1024)
        rows = np.arange(1024)
        order = np.random.default_rng(0).permutation(rows)
        buffer = np.empty((BATCH, SIZE, SIZE, 3), dtype=np.uint8)

        def copies() -> None:
            for start in range(0, len(order), BATCH):
                for place, row in enumerate(order[start : start + BATCH]):
                    buffer[place] = images[row]

        def run(one: Loader) -> Any:
            return lambda: [len(x) for x, _ in one.epoch(0)]

        plain = ours(images, rows, 1)
        assert plain._torch is None, "a process is started"
        thread = interleaved({"memcpy": copies, "ours": run(plain)}, ROUNDS, time.process_time)
        works = {f"{n} processes": run(ours(images, rows, n, "flips")) for n in (0, 1)}
        flips = interleaved(works, ROUNDS)
        return {
            "none, images a second of the processor": {
                k: summary([1024 / s for s in v], 0) for k, v in thread.items()
            },
            "none, memcpy / ours": ratios(thread, "memcpy", "ours"),
            "flips, images a second": {
                k: summary([1024 / s for s in v], 0) for k, v in flips.items()
            },
            "flips, without / with a process": ratios(flips, "0 processes", "1 processes"),
        }


def overlap() -> dict[str, Any]:
    """P3: the share of RATE at which a stand-in that takes 1 / RATE an image is fed. Without
    augmentation, so a thread copies, whatever the number of workers."""
    with tempfile.TemporaryDirectory() as folder:
        _, images = packed(Path(folder), 1024)
        rows = np.tile(np.arange(1024), 6)
        found: dict[str, Any] = {}
        for workers in (0, 1, 2):
            one, shares = ours(images, rows, workers), []
            for number in range(ROUNDS + 1):
                begin, seen = 0.0, 0
                for batch, _ in one.epoch(number):
                    begin = begin or time.perf_counter()  # the first batch is P4's and P7's
                    time.sleep(len(batch) / RATE)
                    seen += len(batch)
                shares.append(seen / RATE / (time.perf_counter() - begin))
            found[f"{workers} workers"] = summary(shares[1:])
        return found


def augmentation() -> dict[str, Any]:
    """P13: recipes on one core, the OpenCV calls that they end in, and the same on floats; seconds
    are those of the processor. No work keeps its images: fresh memory costs as much as a flip."""
    cv2.setNumThreads(1)
    image = cv2.resize(
        np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8), (SIZE, SIZE)
    )
    floats = image.astype(np.float32) / 255
    matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 23.0, 1.05)
    table = np.arange(256, dtype=np.uint8)[::-1].copy()

    def turned(once: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        size = (SIZE, SIZE)
        return np.asarray(cv2.warpAffine(once, matrix, size, borderMode=cv2.BORDER_REFLECT_101))

    def flips_rotate() -> None:
        for n in range(100):
            once = cv2.flip(image, 1) if n % 2 else image
            once = cv2.flip(once, 0) if n % 4 > 1 else once
            if n % 5:
                turned(once)

    def light() -> None:
        for n in range(100):
            once = turned(image) if n % 5 else image
            if n % 2:
                cv2.LUT(once, table)

    out: dict[str, Any] = {}
    for name, bare in {"flips_rotate": flips_rotate, "light": light}.items():
        recipe = make_recipe(name, SIZE)
        theirs = A.Compose(RECIPES[name](SIZE))
        works = {
            "bare": bare,
            "ours": lambda recipe=recipe: sum(recipe(image, n).ndim for n in range(100)),
            "floats": lambda theirs=theirs: sum(
                theirs(image=floats)["image"].ndim for _ in range(100)
            ),
        }
        found = interleaved(works, ROUNDS, time.process_time)
        out[name] = {
            "images a second of a core": {
                k: summary([100 / s for s in v], 0) for k, v in found.items()
            },
            "bare / ours": ratios(found, "bare", "ours"),
            "floats / ours": ratios(found, "floats", "ours"),
        }
    return out


def backends() -> dict[str, Any]:
    """Recipes by OpenCV image by image, and by torch in batches (`augment.backend: device`), on one
    core, in seconds of the processor; and how many draws it makes."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    draw, count = np.random.default_rng(0), 32
    pixels = np.stack(
        [
            cv2.resize(draw.integers(0, 256, (40, 40, 3), dtype=np.uint8), (SIZE, SIZE))
            for _ in range(count)
        ]
    )
    buffer, out = np.empty_like(pixels), dict[str, Any]()

    def filled(recipe: Any) -> None:
        for n, image in enumerate(pixels):
            buffer[n] = recipe(image, n)

    for name in [name for name in RECIPES if name != "none"]:
        recipe, draws = make_recipe(name, SIZE), Draws(make_recipe(name, SIZE))
        moves = draws(range(count))
        works = {
            "OpenCV": lambda r=recipe: filled(r),
            "torch": lambda m=moves: moved(torch.from_numpy(pixels.copy()), None, m),
            "draws": lambda d=draws: d(range(count)),
        }
        found = interleaved(works, ROUNDS, time.process_time)
        speed = {k: summary([count / s for s in v], 0) for k, v in found.items()}
        out[name] = {
            "images a second of a core": speed,
            "OpenCV / torch": ratios(found, "OpenCV", "torch"),
        }
    return out


PARTS = {
    "plans": plans,
    "starts": starts,
    "packs": packs,
    "guards": guards,
    "contents": contents,
    "loader": loader,
    "copying": copying,
    "overlap": overlap,
    "augmentation": augmentation,
    "backends": backends,
}

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep("data", "Plans, packs and loaders", PARTS, ["numpy", "opencv-python-headless", "torch"])
