"""A look at a folder of a competition: which layout it has, and what a config would say of it.

Everything that could be otherwise is a doubt, told beside the key that it is about.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from comp.config import DataConfig
from comp.data import columns, match, trees
from comp.data.layouts import LAYOUTS
from comp.data.tables import Table, read_table
from comp.errors import DataError, first

_SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 288, 331)
_HEADERS = 200  # image files whose size is looked at
_JSON = 300 << 20  # bytes of a COCO file, at most
_TABLES = (".csv", ".tsv")
_HOMES = {"defects": "train/normal_images", "profiles": "train/images"}
_LIKE = 0.8  # of names or cells: more is no chance
_UNLISTED = 3  # levels of folders in which tables are sought


@dataclass
class Guess:
    """What a config would say. `data`, `top`: its keys; `doubts`: key -> what is not sure;
    `notes`: what was seen besides."""

    data: dict[str, Any]
    top: dict[str, Any] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def doubt(self, key: str, text: str) -> None:
        """Say what is not sure about a key."""
        if text:
            self.doubts.setdefault(key, []).append(text)


@dataclass(frozen=True)
class Place:
    """A data folder: its tables with their relative names, and its folders with images."""

    root: Path
    tables: dict[str, Table]
    folders: dict[str, int]
    doubts: tuple[str, ...] = ()


def guess(root: Path) -> Guess:
    """What a config would say of the competition in `root`.

    Raises DataError when there is no such folder, or no image in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder that holds the data")
    place = _survey(root)
    if not place.folders:
        raise DataError(f"{root}: no images in it or below; unpack the archive first?")
    for looks in LOOKS:
        found = looks(place)
        if found is not None:
            break
    else:
        raise DataError(_unknown(place))
    for text in place.doubts:
        found.doubt("root", text)
    _image_size(found, place)
    if found.data["layout"] not in LAYOUTS:
        found.doubt(
            "layout",
            f"{found.data['layout']!r} is recognised, but this version of comp cannot read it; "
            f"it reads {', '.join(LAYOUTS)}",
        )
    return found


def _unknown(place: Place) -> str:
    return (
        f"{place.root}: no layout is recognised. Tables: {first(place.tables) or 'none'}; folders "
        f"with images: {first(place.folders)}. A table with ids and labels, or one folder a class, "
        "is needed"
    )


def _survey(root: Path) -> Place:
    listing = match.list_files(root)
    tables, doubts = {}, []
    folders = Counter(name.rpartition("/")[0] or "." for name, _ in listing.images)
    for name, path in listing.files:
        if path.suffix.lower() in _TABLES and name.count("/") < _UNLISTED:
            try:
                tables[name] = read_table(path)
            except DataError as problem:
                doubts.append(f"a table was left out: {problem}".splitlines()[0])
    return Place(root, tables, dict(sorted(folders.items())), tuple(doubts))


def _defects(place: Place) -> Guess | None:
    if trees.defects_lacks(DataConfig(root=str(place.root))):
        return None
    out = Guess({"layout": "defects"}, {"task": "binary"})
    out.doubt("task", "the masks would make it a segmentation; here normal against defect")
    return out


def _profiles(place: Place) -> Guess | None:
    table = place.tables.get("train/train.csv")
    if table is None or not {"id", "gender", "age", "path"} <= {*table.columns}:
        return None
    return Guess({"layout": "profiles"}, {"task": "multiclass"})


def _coco(place: Place) -> Guess | None:
    trees_ = {path: _coco_tree(path) for path in sorted(place.root.rglob("*.json"))}
    found = {path: tree for path, tree in trees_.items() if tree is not None}
    names = {path: path.relative_to(place.root).as_posix() for path in found}
    train = [path for path in found if not _tests(names[path])]
    if not train:
        return None
    images = sorted({str(item.get("file_name", "")) for p in train for item in found[p]["images"]})
    home = next((p for p in train if "train" in names[p].lower()), train[0])
    listed = sorted(str(item.get("file_name", "")) for item in found[home]["images"])
    folder, share = _home(place, listed[:200], "train")
    out = Guess({"layout": "coco"}, {"task": "segmentation"})
    out.data |= {"annotations": [names[path] for path in train], "train_images": folder}
    marks = [item for path in train for item in found[path]["annotations"]]
    used = {item.get("category_id") for item in marks if isinstance(item, dict)}
    out.notes.append(f"COCO: {len(images)} images, {len(marks)} outlines of {len(used)} classes")
    if len(train) > 1:
        out.doubt("annotations", "all of them are trained on; folds are made of them together")
    if share < 1:
        out.doubt("train_images", f"{share:.0%} of its images are there")
    _test(out, place, _sample(place))
    answers = [names[path] for path in found if path not in train]
    if answers and out.data["sample_submission"] is None:
        out.data["test_answers"] = answers[0]
    return out


def _tests(name: str) -> bool:
    """Whether a json is of the test images; `valid` is trained on."""
    words = re.split(r"[/_.-]", name.lower())
    return bool({"test", "testing", "eval"} & {*words})


def _masks(place: Place) -> Guess | None:
    """A folder with masks beside that of the images: of the same names, or a folder a class."""
    named = [f for f in _homes(place) if {"mask", "masks"} & {*re.split(r"[/_.-]", f.lower())}]
    named = [f for f in named if not _is_test(f)]
    others = [
        f for f in place.folders if f not in named and not any(f.startswith(f"{n}/") for n in named)
    ]
    for folder in sorted(named, key=lambda name: (name.count("/"), name)):
        masks = match.list_files(place.root / folder, place.root).images
        stems = {Path(name).stem for name, _ in masks}
        shares = {other: _stems(place, other, stems) for other in others if not _is_test(other)}
        best = max(shares, key=lambda name: (shares[name], "train" in name), default=None)
        if best is None or shares[best] < _LIKE:
            continue
        out = Guess({"layout": "masks", "train_images": best, "masks": folder})
        out.top["task"] = "segmentation"
        out.doubt("masks", "" if shares[best] == 1 else f"{shares[best]:.0%} of the names fit")
        if all("/" in name for name, _ in masks):
            out.doubt("task", "multilabel_segmentation where the classes may overlap")
        _test(out, place, _sample(place))
        return out
    return None


def _stems(place: Place, folder: str, stems: set[str]) -> float:
    """The share of the masks' names that are images of the folder."""
    images = match.list_files(place.root / folder, place.root).images
    return len(stems & {Path(name).stem for name, _ in images}) / max(1, len(stems))


def _rle(place: Place) -> Guess | None:
    """A table with a column of run lengths."""
    sample = _sample(place)
    for name, table in place.tables.items():
        runs = [column for column in table.columns if _run_lengths(table.values[column])]
        if name == sample or _is_test(name) or not runs or len(table.columns) < 2:
            continue
        rest = [column for column in table.columns if column not in runs]
        cells = table.values[rest[0]] if rest else []
        bare = [cell.rpartition("_")[0] or cell for cell in cells]
        (folder, share), (other, joined) = (
            _home(place, sorted({*ids})[:200], "train") for ids in (cells, bare)
        )
        out = Guess({"layout": "rle", "train_csv": name, "id": rest[0], "target": runs})
        out.top["task"] = "segmentation"
        kinds = [c for c in rest[1:] if "class" in c.lower()]
        if kinds:
            out.data["rle_class"] = kinds[0]
        out.data["train_images"] = folder if share >= joined else other
        out.doubt("target", "the runs go down the columns; else data.rle_order: rows")
        if max(share, joined) < 1:
            out.doubt("id", f"{max(share, joined):.0%} of the ids are images there")
        _test(out, place, sample)
        return out
    return None


def _run_lengths(cells: Sequence[str]) -> bool:
    """Whether most cells that are not empty are pairs of numbers."""
    some = [cell for cell in cells if cell.strip() not in ("", "-1", "nan")][:_HEADERS]
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


def _csv(place: Place) -> Guess | None:
    sample = _sample(place)
    others = [name for name in place.tables if name != sample and not _is_test(name)]
    ranked = sorted(
        others, key=lambda name: ("train" not in name.lower(), -len(place.tables[name]))
    )
    for name in ranked:
        table = place.tables[name]
        if len(table) < 2 or len(table.columns) < 2:
            continue
        shares = {folder: _shares(place, folder) for folder in _homes(place)}
        best = max(
            shares, key=lambda f: (columns.id_column(table, shares[f])[1], "train" in f, -len(f))
        )
        identity, share = columns.id_column(table, shares[best])
        if share > 0.3:
            return _from_table(place, name, sample, identity, best, share)
    return None


def _from_table(
    place: Place, name: str, sample: str | None, identity: str, folder: str, share: float
) -> Guess:
    table = place.tables[name]
    found = columns.answer(table, identity, place.tables[sample] if sample else None)
    group, doubt = columns.group_column(table, [identity, *found.columns])
    out = Guess({"layout": "csv", "train_csv": name, "id": identity}, {"task": found.task})
    out.data["target"] = found.columns[0] if len(found.columns) == 1 else list(found.columns)
    if found.separator is not None:
        out.data["separator"] = found.separator
    out.data |= {"group": group, "train_images": folder}
    for text in found.doubts:
        out.doubt("target", text)
    out.doubt("group", doubt)
    if share < 0.999:
        out.doubt("id", "not every cell names an image, or not a single one")
    if found.task != "multilabel":
        _classes(out, Counter(table.values[found.columns[0]]) if found.columns else Counter())
    _test(out, place, sample)
    return out


def _classes(out: Guess, counts: Counter[str]) -> None:
    told = ", ".join(f"{name} {count}" for name, count in counts.most_common(12))
    out.notes.append(f"{len(counts)} classes: {told}" + (" ..." if len(counts) > 12 else ""))


def _folders(place: Place) -> Guess | None:
    """One folder a class: the folder that has the most images in several folders below it."""
    below: dict[str, Counter[str]] = {}
    for folder, count in place.folders.items():
        parts = [] if folder == "." else folder.split("/")
        for depth in range(len(parts)):
            above = "/".join(parts[:depth]) or "."
            below.setdefault(above, Counter())[parts[depth]] += count
    parted = {"train", "test", "valid", "val", "training", "testing", "validation", "images"}
    able = {
        name: counts
        for name, counts in below.items()
        if len(counts) > 1 and not {c.lower() for c in counts} & parted and not _is_test(name)
    }
    if not able:
        return None
    best = min(able, key=lambda n: ("train" not in n.lower(), n.count("/"), -able[n].total(), n))
    out = Guess({"layout": "folders", "train_images": best})
    out.top["task"] = "binary" if len(able[best]) == 2 else "multiclass"
    _classes(out, able[best])
    deep = [f for f in place.folders if f.startswith("" if best == "." else f"{best}/")]
    if any(f.removeprefix(f"{best}/").count("/") for f in deep):
        out.doubt("train_images", "folders lie inside folders: the outermost are the classes")
    others = [name for name in able if name != best]
    if others:
        out.doubt("train_images", f"might be {first(others, 3)}")
    _test(out, place, _sample(place))
    return out


def _is_test(name: str) -> bool:
    words = name.lower().replace("_", "/").replace("-", "/").replace(".", "/").split("/")
    return bool({"test", "testing", "eval", "valid", "val", "validation"} & {*words})


def _sample(place: Place) -> str | None:
    named = [n for n in place.tables if "sample" in n.lower() or "submission" in n.lower()]
    return min(named, key=lambda name: ("sample" not in name.lower(), len(name))) if named else None


def _homes(place: Place) -> list[str]:
    """The folders in which images may be sought: those that have some, and those above them."""
    out = {"."}
    for folder in place.folders:
        parts = folder.split("/")
        out |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return sorted(out)


def _shares(place: Place, folder: str) -> Callable[[Sequence[str]], float]:
    listing = match.list_files(place.root / folder, place.root)

    def share(cells: Sequence[str]) -> float:
        found = [
            len(paths) == 1 and paths[0].suffix.lower() in match.IMAGE_SUFFIXES
            for paths in map(listing.find, cells)
        ]
        return sum(found) / max(1, len(found))

    return share


def _home(place: Place, names: Sequence[str], word: str) -> tuple[str, float]:
    """The folder in which the most of these names are images, and their share."""
    shares = {folder: _shares(place, folder)(names) for folder in _homes(place)}
    best = max(shares, key=lambda folder: (shares[folder], word in folder, -len(folder)))
    return best, shares[best]


def _test(out: Guess, place: Place, sample: str | None) -> None:
    """The test images and the sample submission, and the metric that it hints at."""
    if out.data["layout"] in ("defects", "profiles"):
        return
    if sample is None:
        named = [folder for folder in _homes(place) if _is_test(folder)]
        out.data["test_images"] = named[0] if named else "test"
        out.data["sample_submission"] = None
        out.doubt("sample_submission", "none was found: every image of the test folder is answered")
        if not named:
            out.doubt("test_images", "no folder of test images was found")
        return
    table = place.tables[sample]
    identity = out.data.get("id")
    identity = identity if identity in table.values else table.columns[0]
    ids = table.values[identity]
    folder, share = _home(place, ids[:200], "test")
    if out.top["task"] == "segmentation" and share < 1:  # perhaps image and class, joined
        bare = list(dict.fromkeys(name.rpartition("_")[0] or name for name in ids))
        folder, share = max((folder, share), _home(place, bare[:200], "test"), key=lambda p: p[1])
    out.data |= {"test_images": folder, "sample_submission": sample}
    if out.top["task"] != "segmentation" and _asks_probabilities(table, identity):
        out.top["metric"] = {"multiclass": "log_loss"}.get(out.top["task"], "roc_auc")
    if share < 1:
        out.doubt("test_images", f"{share:.0%} of the ids of the sample are images there")


def _asks_probabilities(sample: Table, identity: str) -> bool:
    """Whether the answers in a sample submission are fractions."""
    cells = {c for name in sample.columns if name != identity for c in sample.values[name][:50]}
    return bool(cells) and all(re.fullmatch(r"[01]?\.\d+", cell) for cell in cells)


def _image_size(out: Guess, place: Place) -> None:
    """The square that most training images fill, of the sizes that networks are used to."""
    home = out.data.get("train_images", _HOMES.get(out.data["layout"], "."))
    folder = place.root / home if (place.root / home).is_dir() else place.root
    images = match.list_files(folder, place.root).images
    sizes = []
    for _, path in images[:: max(1, len(images) // _HEADERS)]:
        try:
            with Image.open(path) as image:
                sizes.append(image.size)
        except Exception:  # Pillow's readers raise whatever a broken header makes them
            out.doubt("root", f"{path.name} cannot be read; see `comp check`")
    if not sizes:
        return
    array = np.array(sizes)
    short = float(np.median(array.min(axis=1)))
    size = max([known for known in _SIZES if known <= short * 1.05], default=_SIZES[0])
    out.top["image"] = {"size": size}
    low, high = array.min(axis=0), array.max(axis=0)
    out.notes.append(
        f"{len(images)} images in {home}, {low[0]} x {low[1]} to {high[0]} x {high[1]} pixels, "
        f"the shorter side mostly {short:.0f}"
    )


LOOKS: tuple[Callable[[Place], Guess | None], ...] = (
    _defects,
    _profiles,
    _coco,
    _masks,
    _rle,
    _csv,
    _folders,
)
