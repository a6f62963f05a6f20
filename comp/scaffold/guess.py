"""A look at a folder of a competition: which layout it has, and what a config would say of it.

Everything that could be otherwise is a doubt, told beside the key that it is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from comp.config.schema import DataConfig
from comp.core.errors import DataError, first
from comp.data.index import file_match
from comp.data.layouts import class_folders
from comp.data.layouts.layouts import LAYOUTS
from comp.scaffold import columns, guess_masks
from comp.scaffold.folder import (
    Guess,
    Place,
    guess_test,
    homes,
    is_test,
    sample_table,
    share_of,
    survey,
)

_SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 288, 331)
_HEADERS = 200  # image files whose size is looked at
_TRUTHS = {"ground_truth", "groundtruth", "gt"}  # folders of masks, whatever they are of
_HOMES = {"defects": "train/normal_images", "profiles": "train/images"}


def guess(root: Path) -> Guess:
    """What a config would say of the competition in `root`.

    Raises DataError when there is no such folder, or no image in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder that holds the data")
    place = survey(root)
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


def _defects(place: Place) -> Guess | None:
    if class_folders.defects_lacks(DataConfig(root=str(place.root))):
        return None
    out = Guess({"layout": "defects"}, {"task": "binary"})
    out.doubt("task", "normal against defect; task: segmentation would use train/defect_masks")
    return out


def _profiles(place: Place) -> Guess | None:
    table = place.tables.get("train/train.csv")
    if table is None or not {"id", "gender", "age", "path"} <= {*table.columns}:
        return None
    return Guess({"layout": "profiles"}, {"task": "multiclass"})


def _csv(place: Place) -> Guess | None:
    sample = sample_table(place)
    others = [name for name in place.tables if name != sample and not is_test(name)]
    ranked = sorted(
        others, key=lambda name: ("train" not in name.lower(), -len(place.tables[name]))
    )
    for name in ranked:
        table = place.tables[name]
        if len(table) < 2 or len(table.columns) < 2:
            continue
        shares = {folder: share_of(place, folder) for folder in homes(place)}
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
    guess_test(out, place, sample)
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
        if len(counts) > 1
        and not {c.lower() for c in counts} & parted
        and not is_test(name)
        and not {*name.lower().split("/")} & _TRUTHS
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
    guess_test(out, place, sample_table(place))
    return out


def _image_size(out: Guess, place: Place) -> None:
    """The square that most training images fill, of the sizes that networks are used to."""
    home = out.data.get("train_images", _HOMES.get(out.data["layout"], "."))
    folder = place.root / home if (place.root / home).is_dir() else place.root
    images = file_match.list_files(folder, place.root).images
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
    guess_masks.coco,
    guess_masks.mask_files,
    guess_masks.run_lengths,
    _csv,
    _folders,
)
