"""Guesses about folders of data for segmentation: COCO files, mask files, run lengths."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comp.core.errors import first
from comp.data.index import file_match
from comp.data.index.affixes import find_affixes, split_masks
from comp.data.index.image_files import stem_of
from comp.data.masks import rle
from comp.scaffold.folder import (
    Folder,
    Guess,
    best_folder,
    guess_test,
    image_folders,
    is_test,
    sample_table,
)
from comp.tasks.starters import kind_of

_SOME = 200  # cells or names that are looked at
_JSON = 300 << 20  # bytes of a COCO file, at most
_FEWEST = 2  # images and masks from which an affix is guessed
_MASKS = re.compile("mask|label|annotation|truth|^gt|^seg", re.IGNORECASE)  # folders of masks
_LIKE = 0.8  # share of names or cells above which it is no coincidence


def coco(place: Folder) -> Guess | None:
    """Images with COCO annotations."""
    trees_ = {path: _coco_tree(path) for path in sorted(place.root.rglob("*.json"))}
    found = {path: tree for path, tree in trees_.items() if tree is not None}
    names = {path: path.relative_to(place.root).as_posix() for path in found}
    train = [path for path in found if not _tests(names[path])]
    if not train:
        return None
    images = sorted({str(item.get("file_name", "")) for p in train for item in found[p]["images"]})
    home = next((p for p in train if "train" in names[p].lower()), train[0])
    listed = sorted(str(item.get("file_name", "")) for item in found[home]["images"])
    folder, share = best_folder(place, listed[:_SOME], "train")
    out = Guess(kind_of("pixels"), {"layout": "coco"})
    out.data |= {"annotations": [names[path] for path in train], "train_images": folder}
    marks = [item for path in train for item in found[path]["annotations"]]
    used = {item.get("category_id") for item in marks if isinstance(item, dict)}
    out.notes.append(f"COCO: {len(images)} images, {len(marks)} outlines of {len(used)} classes")
    if len(train) > 1:
        out.doubt("annotations", "all of them are trained on; the folds are made of them together")
    if share < 1:
        out.doubt("train_images", f"{share:.0%} of the listed images are there")
    guess_test(out, place, sample_table(place))
    answers = [names[path] for path in found if path not in train]
    if answers and out.data["sample_submission"] is None:
        out.data["test_answers"] = answers[0]
    return out


def _tests(name: str) -> bool:
    """Whether a json is about the test images; `valid` is trained on."""
    words = re.split(r"[/_.-]", name.lower())
    return bool({"test", "testing", "eval"} & {*words})


def mask_files(place: Folder) -> Guess | None:
    """A folder with masks beside that of the images: of the same names, or a folder per class."""
    named = [
        f for f in image_folders(place) if {"mask", "masks"} & {*re.split(r"[/_.-]", f.lower())}
    ]
    named = [f for f in named if not is_test(f)]
    others = [
        f for f in place.images if f not in named and not any(f.startswith(f"{n}/") for n in named)
    ]
    for folder in sorted(named, key=lambda name: (name.count("/"), name)):
        masks = file_match.list_files(place.root / folder, place.root).images
        stems = {stem_of(name.rpartition("/")[2]) for name, _ in masks}
        shares = {other: _stems(place, other, stems) for other in others if not is_test(other)}
        best = max(shares, key=lambda name: (shares[name], "train" in name), default=None)
        if best is None or shares[best] < _LIKE:
            continue
        out = Guess(kind_of("pixels"), {"layout": "masks", "train_images": best})
        out.data["masks"] = folder
        out.doubt(
            "masks", "" if shares[best] == 1 else f"{shares[best]:.0%} of their names are images"
        )
        out.doubt("train_images", _unmasked(best, [o for o in others if not is_test(o)]))
        if all("/" in name for name, _ in masks):
            other = kind_of("pixels", overlap=True).name
            out.doubt("task", f"{other} where the classes may overlap")
        guess_test(out, place, sample_table(place))
        return out
    return None


def affixed_masks(place: Folder) -> Guess | None:
    """Masks beside their images, or in a folder of their own, whose names differ by an affix."""
    stems: dict[str, list[str]] = {}
    for name, _ in place.listing.images:
        folder, _, file = name.rpartition("/")
        if not is_test(folder):
            stems.setdefault(folder or ".", []).append(stem_of(file))
    found = ((folder, folder, split_masks(own)) for folder, own in stems.items())
    pairs = ((i, m) for m in stems if _MASKS.search(m.rpartition("/")[2]) for i in stems if i != m)
    apart = ((i, m, find_affixes(stems[i], stems[m])) for i, m in pairs)
    for images, masks, affixes in (*found, *apart):
        if affixes is None or len(stems[images]) < _FEWEST:
            continue
        out = Guess(kind_of("pixels"), {"layout": "masks", "train_images": images, "masks": masks})
        out.doubt("masks", f"images and masks are joined by their names: {affixes}")
        guess_test(out, place, sample_table(place))
        return out
    return None


def _unmasked(images: str, folders: Sequence[str]) -> str:
    """The doubt about folders of images beside `images` that have no masks."""
    beside = [
        f for f in folders if f.rpartition("/")[0] == images.rpartition("/")[0] and f != images
    ]
    if not beside:
        return ""
    return (
        f"{first(beside)} without masks are ignored; to train on them too, as images without a "
        "defect, rename the folders for layout: defects (train/normal_images, "
        "train/defect_images, train/defect_masks): "
        f"task: {kind_of('pixels').name} uses the masks, "
        f"task: {kind_of('class', 2).name} tells normal from defect"
    )


def _stems(place: Folder, folder: str, stems: set[str]) -> float:
    """The share of the masks' names that are images of the folder."""
    images = file_match.list_files(place.root / folder, place.root).images
    return len(stems & {stem_of(name.rpartition("/")[2]) for name, _ in images}) / max(
        1, len(stems)
    )


def run_lengths(place: Folder) -> Guess | None:
    """A table with a column of run lengths, and images."""
    sample = sample_table(place)
    for name, table in place.tables.items():
        runs = [column for column in table.columns if _run_lengths(table.values[column])]
        if name == sample or is_test(name) or not runs or len(table.columns) < 2:
            continue
        rest = [column for column in table.columns if column not in runs]
        cells = table.values[rest[0]] if rest else []
        bare = [cell.rpartition("_")[0] or cell for cell in cells]
        (folder, share), (other, joined) = (
            best_folder(place, sorted({*ids})[:_SOME], "train") for ids in (cells, bare)
        )
        out = Guess(kind_of("pixels"), {"layout": "rle", "train_csv": name, "id": rest[0]})
        out.data["target"] = runs
        kinds = [c for c in rest[1:] if "class" in c.lower()]
        if kinds:
            out.data["rle_class"] = kinds[0]
        out.data["train_images"] = folder if share >= joined else other
        out.doubt("target", "the runs go down the columns; if along the rows, add rle_order: rows")
        if max(share, joined) < 1:
            out.doubt("id", f"{max(share, joined):.0%} of the ids are images there")
        guess_test(out, place, sample)
        return out
    return None


def _run_lengths(cells: Sequence[str]) -> bool:
    """Whether most cells that are not empty are pairs of numbers."""
    some = [cell for cell in cells if not rle.is_empty(cell)][:_SOME]
    pairs = [bool(re.fullmatch(r"\s*\d+ +\d+( +\d+ +\d+)*\s*", cell)) for cell in some]
    return bool(some) and sum(pairs) > _LIKE * len(some)


def _coco_tree(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _JSON:
            return None
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(tree, dict) and all(
        isinstance(tree.get(key), list) for key in ("images", "annotations", "categories")
    )
    return tree if whole else None
