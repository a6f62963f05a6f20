"""How right the groups are that `comp check` proposes.

    python benchmarks/groups.py DATA_DIR [--each 6] [--seen benchmarks/groups_car.csv]

Images are those below DATA_DIR/train, without folders of masks. Three kinds of truth:

planted  copies made here of 140 of the images (saved again, turned, cropped, ...), under names that
         say nothing. Recall: the source is in the copy's group. Precision: of the pairs of a copy
         and another image in its group, those with the source, with another copy of it, or with
         what the source was grouped with before.
--each   photographs of one thing, where that number is known: how many groups are as large.
--seen   a table `image,thing`, made by looking at the pictures: pairs of these images.

Results go to groups.json and groups.md beside this file, by the name of DATA_DIR.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.check.copy_findings import propose
from comp.check.duplicates.clusters import find_links
from comp.check.image_stats import cores, measure_images
from comp.data.images.decode import read_image
from comp.data.index.file_match import list_files

HERE = Path(__file__).parent
COPIES = 20  # of each kind
Array = np.ndarray[Any, Any]


def crop(image: Array, share: float) -> Array:
    """The middle of an image."""
    height, width = image.shape[:2]
    top, left = int(height * (1 - share) / 2), int(width * (1 - share) / 2)
    return image[top : height - top, left : width - left]


def tilt(image: Array, draw: Any) -> Array:
    """Seen from another angle: the corners moved by up to a tenth of the sides."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + draw.uniform(-0.1, 0.1, (4, 2)).astype(np.float32) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def rotate(image: Array, degrees: float) -> Array:
    """Turned about its middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


KINDS: dict[str, Callable[[Array, Any], Array]] = {
    "saved again, smaller": lambda image, _: cv2.resize(image, None, fx=0.8, fy=0.8),
    "quarter turn": lambda image, _: np.ascontiguousarray(np.rot90(image)),
    "flipped": lambda image, _: np.ascontiguousarray(image[:, ::-1]),
    "turned by 7 degrees": lambda image, _: rotate(image, 7),
    "the middle 60 %": lambda image, _: crop(image, 0.6),
    "darker, with noise": lambda image, draw: np.clip(
        image * 0.6 + draw.normal(0, 4, image.shape), 0, 255
    ).astype(np.uint8),
    "another angle": tilt,
}


def groups_of(ids: Sequence[str], paths: Sequence[Path], cache: Path) -> list[tuple[str, ...]]:
    """The groups that `comp check` proposes for images."""
    links = find_links(ids, measure_images(paths, cache), cache)
    return [group.ids for group in propose(ids, [], links)[0].proposals]


def plant(paths: Sequence[Path], ids: Sequence[str], folder: Path) -> dict[str, tuple[str, str]]:
    """Write copies to `folder`: the name of each -> its kind and the id of its source."""
    draw = np.random.default_rng(0)
    rows = iter(draw.choice(len(paths), COPIES * len(KINDS), replace=False))
    made = {}
    for kind, change in KINDS.items():
        for row in itertools.islice(rows, COPIES):
            name = f"{draw.bytes(6).hex()}.jpg"
            copy = change(read_image(paths[row]), draw)[:, :, ::-1]
            quality = [cv2.IMWRITE_JPEG_QUALITY, 60]
            (folder / name).write_bytes(cv2.imencode(".jpg", copy, quality)[1].tobytes())
            made[name] = (kind, ids[row])
    return made


def judge_planted(
    made: dict[str, tuple[str, str]],
    before: Sequence[tuple[str, ...]],
    after: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    """Recall by kind, and precision of the pairs that a copy is in."""
    home = {name: {*group} for group in before for name in group}
    of = {name: {*group} for group in after for name in group}
    found: Counter[str] = Counter()
    right = wrong = 0
    for name, (kind, source) in made.items():
        fits = home.get(source, set()) | {source}
        beside = of.get(name, set()) - {name}
        found[kind] += source in beside
        good = {other for other in beside if made.get(other, ("", other))[1] in fits}
        right, wrong = right + len(good), wrong + len(beside - good)
    return {
        "recall": {kind: f"{found[kind]} of {COPIES}" for kind in KINDS},
        "recall of all": round(sum(found.values()) / len(made), 3),
        "precision of pairs": round(right / max(1, right + wrong), 3),
        "pairs": right + wrong,
    }


def judge_seen(path: Path, groups: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Precision and recall of pairs of the images in the table."""
    with path.open(encoding="utf-8", newline="") as handle:
        thing = {row["image"]: row["thing"] for row in csv.DictReader(handle)}
    sorted_pairs = (itertools.combinations(sorted({*group} & {*thing}), 2) for group in groups)
    proposed = {*itertools.chain.from_iterable(sorted_pairs)}
    true = {(a, b) for a, b in itertools.combinations(sorted(thing), 2) if thing[a] == thing[b]}
    return {
        "images": len(thing),
        "true pairs": len(true),
        "precision": round(len(proposed & true) / max(1, len(proposed)), 3),
        "recall": round(len(proposed & true) / max(1, len(true)), 3),
    }


def measure(root: Path, each: int | None, seen: Path | None) -> dict[str, Any]:
    listing = list_files(root / "train", root)
    images = [
        (name, path) for name, path in listing.images if "mask" not in name.rpartition("/")[0]
    ]
    ids = [name.rpartition("/")[2] for name, _ in images]
    paths = [path for _, path in images]
    with tempfile.TemporaryDirectory() as folder:
        cache, beside = Path(folder, "cache"), Path(folder, "planted")
        beside.mkdir()
        begin = time.perf_counter()
        before = groups_of(ids, paths, cache)
        seconds = time.perf_counter() - begin
        made = plant(paths, ids, beside)
        after = groups_of([*ids, *made], [*paths, *(beside / name for name in made)], cache)
    sizes = Counter(map(len, before))
    out: dict[str, Any] = {
        "images": len(ids),
        "seconds": round(seconds, 1),
        "groups": len(before),
        "images in groups": sum(map(len, before)),
        "sizes": dict(sorted(sizes.items())),
        "planted": judge_planted(made, before, after),
    }
    if each is not None:
        out[f"groups of {each}"] = sizes[each]
        out[f"groups of fewer than {each}"] = sum(n for size, n in sizes.items() if size < each)
    if seen is not None:
        out["seen"] = judge_seen(seen, before)
    return out


def table(results: dict[str, Any]) -> str:
    lines = [
        "# Groups that comp check proposes",
        "",
        "Made by `python benchmarks/groups.py DATA_DIR`, whose head says what the truths are.",
        "",
    ]
    for name, result in results.items():
        planted = result["planted"]
        lines += [
            f"## {name}: {result['images']} images, {result['seconds']} s, {result['machine']}",
            "",
            f"{result['groups']} groups of {result['images in groups']} images; sizes "
            + ", ".join(f"{size}: {n}" for size, n in result["sizes"].items())
            + ".",
        ]
        lines += [
            f"{key}: {value}." for key, value in result.items() if key.startswith("groups of")
        ]
        if "seen" in result:
            by_eye = ", ".join(f"{key} {value}" for key, value in result["seen"].items())
            lines.append(f"By eye: {by_eye}.")
        lines += ["", "| planted copies | found |", "|---|---|"]
        lines += [f"| {kind} | {found} |" for kind, found in planted["recall"].items()]
        lines += [
            f"| recall of all | {planted['recall of all']} |",
            f"| precision of their {planted['pairs']} pairs | {planted['precision of pairs']} |",
            "",
        ]
        lines += [*result["notes"], ""] if result.get("notes") else []
    return "\n".join(lines)


def main() -> None:
    """Measure one folder, and write both files."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("root", type=Path)
    words.add_argument("--each", type=int)
    words.add_argument("--seen", type=Path)
    words.add_argument("--note", action="append", default=[])
    options = words.parse_args()
    path = HERE / "groups.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    about = {
        "machine": f"{platform.machine()}, {cores()} cores, load {os.getloadavg()[0]:.1f} before",
        "notes": options.note,
    }
    results[options.root.name] = {**measure(options.root, options.each, options.seen), **about}
    path.write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "groups.md").write_text(table(results))


if __name__ == "__main__":
    main()
