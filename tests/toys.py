"""Toy competitions: small enough to train in a second on a CPU."""

from __future__ import annotations

import csv
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

SHARED = next(
    (above / "shared/data" for above in Path(__file__).parents if (above / "shared/data").is_dir()),
    Path("shared/data"),  # the real competitions are not here: their tests are skipped
)


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


TOY_METRICS = {"regression": "rmse", "ordinal": "qwk"}


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
        "train": {"epochs": 2, "batch_size": 8, "lr": 3e-3, "sched": "cosine", "workers": 0},
    }
    if kind == "multilabel":
        tree["data"]["target"] = ["bright", "odd"]
    if kind in TOY_METRICS:
        tree["metric"] = TOY_METRICS[kind]
    if kind.endswith("segmentation"):
        tree["metric"] = "dice"
        tree["data"] = {"root": "input", "layout": "masks", "id": "id"}
        tree["image"]["size"] = 32
        tree["model"] = {"name": "unet", "encoder": "tu-test_resnet", "pretrained": False}
    for path, value in over.items():
        section, _, key = path.partition("__")
        if key:
            tree.setdefault(section, {})[key] = value
        else:
            tree[section] = value
    return tree


def toy_rows(kind: str, count: int) -> tuple[list[str], list[list[Any]]]:
    """Column names and rows (id, label...) of a toy competition; classes 0..2, two labels, or
    numbers from 0 to 1.75."""
    ids = [f"{number:05d}" for number in range(count)]
    if kind == "multilabel":
        rows = [[name, int(n % 3 == 0), int(n % 2)] for n, name in enumerate(ids)]
        return ["id", "bright", "odd"], rows
    if kind == "regression":
        return ["id", "label"], [[name, f"{n % 8 / 4:.2f}"] for n, name in enumerate(ids)]
    classes = 2 if kind == "binary" else 3
    return ["id", "label"], [[name, n % classes] for n, name in enumerate(ids)]


def regions(seed: int, height: int = 40, width: int = 48) -> tuple[Any, Any]:
    """An image (H, W, 3) uint8 with a bright disc (class 1) or a reddish box (class 2), or both,
    and its mask (H, W) uint8; every fourth has neither. The box lies on the disc."""
    import cv2

    draw = np.random.default_rng(seed)
    image = np.clip(60 + draw.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    if seed % 4 in (1, 3):
        place = int(draw.integers(10, width - 10)), int(draw.integers(10, height - 10))
        cv2.circle(mask, place, int(draw.integers(5, 9)), 1, -1)
    if seed % 4 in (2, 3):
        left, top = int(draw.integers(width - 20)), int(draw.integers(height - 16))
        cv2.rectangle(mask, (left, top), (left + 14, top + 10), 2, -1)
    image[mask == 1] = np.minimum(image[mask == 1].astype(int) + 120, 255)
    image[mask == 2, 0] = 230
    return image, mask


def lay_masks(root: Path, count: int = 24, *, layers: bool = False) -> None:
    """A small segmentation tree of the layout `masks`: train, train_masks, test and a sample of
    run lengths. layers: a folder of 0/255 masks a class (disc, box) instead of class numbers."""
    import cv2

    for seed in range(count):
        image, mask = regions(seed)
        save(root / f"train/{seed:05d}.png", image)
        files = {f"{name}/{seed:05d}.png": mask == number
                 for number, name in enumerate(("disc", "box"), 1)}  # fmt: skip
        for name, pixels in files.items() if layers else [(f"{seed:05d}.png", mask)]:
            path = root / "train_masks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            grey = pixels.astype(np.uint8) * (255 if layers else 1)
            path.write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    rows = []
    for number in range(6):
        save(root / f"test/t{number:03d}.png", regions(1000 + number)[0])
        codes = ("disc", "box") if layers else ("1", "2")
        rows += [[f"t{number:03d}.png_{code}", ""] for code in codes]
    write_csv(root / "sample_submission.csv", [["ImageId_ClassId", "EncodedPixels"], *rows])


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


def scene(seed: int, size: int = 192) -> Any:
    """(size, size, 3) uint8: a random picture with structure at several scales, like a photo."""
    import cv2

    draw = np.random.default_rng(seed)
    out = np.zeros((size, size, 3), np.float32)
    for cells in (4, 12, 40):
        noise = draw.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        out += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) / cells**0.3
    return np.clip(128 + 45 * out, 0, 255).astype(np.uint8)


def save(path: Path, pixels: Any, *options: int) -> Path:
    """Write (H, W, 3) RGB pixels in the format of the suffix."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels[:, :, ::-1], [*options])[1].tobytes())
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that says its size and holds no pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
