"""What a folder of data seems to be: its layout, its kind of task, and what a config says about it.

What is not certain is a doubt, written beside the key that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from comp.core.errors import DataError, first
from comp.data.images.header import image_size
from comp.data.index import file_match
from comp.data.index.file_match import not_read
from comp.data.layouts.layouts import LAYOUTS
from comp.scaffold import label_layouts, mask_layouts
from comp.scaffold.folder import Folder, Guess, list_folder
from comp.scaffold.left_out import left_out

SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 288, 331)
_HEADERS = 200  # image files whose size is looked at
_TRAIN_IMAGES = {"defects": "train/normal_images", "profiles": "train/images"}

# In this order: the first that recognises a folder decides
RECOGNISERS: tuple[Callable[[Folder], Guess | None], ...] = (
    label_layouts.defects,
    label_layouts.profiles,
    mask_layouts.coco,
    mask_layouts.mask_files,
    mask_layouts.affixed_masks,
    mask_layouts.run_lengths,
    label_layouts.csv,
    label_layouts.folders,
    label_layouts.names,
)


def guess(root: Path) -> Guess:
    """What a config would say about the competition in `root`.

    Raises DataError for a missing folder, one without images, and one with no known layout.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder that holds the data")
    place = list_folder(root)
    if not place.images:
        unread = place.listing.others
        there = f"; {not_read(unread)}" if unread else ""
        raise DataError(f"{root}: no images in it or below; unpack the archive first?{there}")
    found = next((found for looks in RECOGNISERS if (found := looks(place))), None)
    if found is None:
        heading = (
            f"{place.root}: no layout is recognised. Tables: {first(place.tables) or 'none'}; "
            f"folders with images: {first(place.images)}. It needs a table with ids and labels, or "
            "one folder per class"
        )
        lines = [f"{heading}." if place.tables or place.others else heading, *left_out(place, None)]
        raise DataError("\n  - ".join(lines))
    if place.listing.others:
        found.notes.append(not_read(place.listing.others))
    for text in place.doubts:
        found.doubt("root", text)
    found.notes += [f"not used: {text}" for text in left_out(place, found)]
    _image_size(found, place)
    if found.data["layout"] not in LAYOUTS:
        found.doubt(
            "layout",
            f"{found.data['layout']!r} is recognised, but this version of comp cannot read it; "
            f"it reads {', '.join(LAYOUTS)}",
        )
    return found


def _image_size(out: Guess, place: Folder) -> None:
    """Set the image size: the largest usual size that most training images fill."""
    home = out.data.get("train_images", _TRAIN_IMAGES.get(out.data["layout"], "."))
    folder = place.root / home if (place.root / home).is_dir() else place.root
    images = file_match.list_files(folder, place.root).images
    out.images = len(images)
    sizes = []
    for _, path in images[:: max(1, len(images) // _HEADERS)]:
        try:
            height, width = image_size(path)
            sizes.append((width, height))
        except DataError:
            out.doubt("root", f"{path.name} cannot be read; see `comp check`")
    if not sizes:
        return
    array = np.array(sizes)
    short = float(np.median(array.min(axis=1)))
    out.image_size = max([known for known in SIZES if known <= short * 1.05], default=SIZES[0])
    low, high = array.min(axis=0), array.max(axis=0)
    out.notes.append(
        f"{len(images)} images in {home}, {low[0]} x {low[1]} to {high[0]} x {high[1]} pixels, "
        f"the shorter side mostly {short:.0f}"
    )
