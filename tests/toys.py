"""Toy competitions: small enough to train in a second on a CPU."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np


def write_csv(path: Path, rows: list[list[Any]]) -> None:
    """A comma-separated table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


def paint(path: Path, brightness: float, seed: int, size: int = 24) -> None:
    """A noisy grey PNG whose mean tells its class."""
    import cv2

    noise = np.random.default_rng(seed).normal(0, 12, (size, size, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(brightness + noise, 0, 255).astype(np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def toy_tree(kind: str, **over: Any) -> dict[str, Any]:
    """A config, as plain values, that trains in a second on a CPU."""
    metric = "macro_f1"
    tree: dict[str, Any] = {
        "name": f"toy_{kind}",
        "task": kind,
        "metric": metric,
        "data": {"root": "input", "id": "id", "target": "label"},
        "folds": {"count": 2},
        "image": {"size": 24},
        "augment": {"recipe": "light"},
        "model": {"name": "test_resnet", "pretrained": False},
        "train": {"epochs": 2, "batch_size": 8, "lr": 3e-3, "workers": 0},
    }
    if kind == "multilabel":
        tree["data"]["target"] = ["bright", "odd"]
    for path, value in over.items():
        section, _, key = path.partition("__")
        if key:
            tree.setdefault(section, {})[key] = value
        else:
            tree[section] = value
    return tree


def toy_rows(kind: str, count: int) -> tuple[list[str], list[list[Any]]]:
    """Column names and rows (id, label...) of a toy competition; classes 0..2 or two labels."""
    ids = [f"{number:05d}" for number in range(count)]
    if kind == "multilabel":
        rows = [[name, int(n % 3 == 0), int(n % 2)] for n, name in enumerate(ids)]
        return ["id", "bright", "odd"], rows
    classes = 2 if kind == "binary" else 3
    return ["id", "label"], [[name, n % classes] for n, name in enumerate(ids)]


def lay_profiles(root: Path, people: int = 12, size: int = 24) -> None:
    """A small tree of the mask competition: who is old is bright, who wears a mask is blue."""
    import cv2

    photos = [*(f"mask{n}" for n in range(1, 6)), "incorrect_mask", "normal"]
    rows: list[list[Any]] = [["id", "gender", "race", "age", "path"]]
    for person in range(people):
        gender, age = ("female", "male")[person % 2], (18, 29, 30, 59, 60, 75)[person % 6]
        folder = f"{person:06d}_{gender}_Asian_{age}"
        rows.append([f"{person:06d}", gender, "Asian", age, folder])
        for number, photo in enumerate(photos):
            noise = np.random.default_rng(100 * person + number).normal(0, 9, (size, size, 3))
            noise[: size // 2, :, 0] += 150 if photo.startswith("mask") else 20 * number
            pixels = np.clip(20 + age + noise, 0, 255).astype(np.uint8)
            path = root / f"train/images/{folder}/{photo}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    write_csv(root / "train/train.csv", rows)
    for number in range(6):
        paint(root / f"eval/images/e{number}.png", 30 * number, 9000 + number)
    write_csv(root / "eval/info.csv", [["ImageID", "ans"], *([f"e{n}.png", 0] for n in range(6))])
