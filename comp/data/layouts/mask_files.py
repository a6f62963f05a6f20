"""The layout `masks`: images in `data.train_images`, their masks as files in `data.masks`.

Either one mask per image, of the same name, whose pixels are class numbers (0 is the background);
or one folder per class in `data.masks`, each with a mask per image that is bright where the class
is (0/255, or nearly so, as JPEG leaves it). An image without a file in a class's folder has none
of it. `data.classes` names the classes; without it they are called by their pixel values.
`data.colours` says which class a colour is. The name of a mask may differ from that of its image by
an affix that is the same for all; masks may lie beside their images then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core.errors import DataError, complain, first
from comp.core.progress import say
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.data.index.mask_match import apart
from comp.data.index.masks import Masks
from comp.data.layouts.mask_notes import looked_at
from comp.data.layouts.mask_numbers import numbered
from comp.data.masks.file_source import FileSource
from comp.data.masks.form import MaskForm, is_background
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]


def lacks(data: DataConfig) -> list[str]:
    """What is missing for the layout, as complaints."""
    root = Path(data.root)
    return file_match.no_folders(root / data.train_images, root / data.masks)


def train(data: DataConfig, task: Task) -> Index:
    """The images of `data.train_images`, with their masks."""
    root = Path(data.root)
    listing = file_match.list_files(root / data.train_images, root)
    masks = file_match.list_files(root / data.masks, root)
    file_match.say_not_read(listing)
    if masks.folder == listing.folder:
        listing, masks = apart(listing)
    else:
        file_match.say_not_read(masks)
    ids = [name for name, _ in listing.images]
    paths = [path for _, path in listing.images]
    complaints = [] if ids else [f"{listing.folder}: no images"]
    complaints += file_match.bad_ids(ids, [str(listing.folder)] * len(ids))
    if data.group not in (None, AUTO_GROUP):
        complaints.append(f"data.group: {data.group!r} is a column, and this layout has no table")
    layered = bool(masks.images) and all("/" in name for name, _ in masks.images)
    layered = layered and masks.folder != listing.folder and not _same_folders(listing, masks)
    data = _without_background(data, complaints)
    make = _layers if layered else numbered
    classes, codes, sources = make(ids, paths, masks, data, task, complaints)
    complain(DataError, f"{data.root}: not data of the layout 'masks':", complaints)
    return index_of(ids, paths, classes, codes, sources, task, data.cache)


def _without_background(data: DataConfig, complaints: list[str]) -> DataConfig:
    """The data without a class for the background: that is what no class has."""
    places = [place for place, name in enumerate(data.classes) if is_background(name)]
    if not places:
        return data
    if places != [0]:
        complaints.append(
            f"data.classes: {first(data.classes, 12)}: the background has the number 0 and is no "
            "class; take it out, so that the others have the numbers of their pixels, from 1 on"
        )
        return data
    say("data.classes: the background (0) is what no class has; it is left out")
    return data.model_copy(update={"classes": data.classes[1:]})


def _same_folders(images: file_match.Listing, masks: file_match.Listing) -> bool:
    """Whether the folders of the masks are those of the images, and so none of classes."""
    one, two = (
        {n.partition("/")[0] for n, _ in part.images if "/" in n} for part in (images, masks)
    )
    return bool(two) and one == two


def index_of(
    ids: Sequence[str],
    paths: Sequence[Path],
    classes: tuple[str, ...],
    codes: tuple[str, ...],
    sources: Sequence[FileSource],
    task: Task,
    cache: Path,
) -> Index:
    """The index of images whose masks are files; reads those that are not noted in `cache` yet.

    Raises DataError with every mask that cannot be read.
    """
    looked = looked_at(sources, cache)
    known = [
        replace(source, content=found["content"])
        for source, found in zip(sources, looked, strict=True)
    ]
    target = np.array([[n > 0 for n in found["pixels"]] for found in looked], dtype=np.int64)
    truth = Masks(known, task.layers(len(classes)))
    shape = (len(ids), len(classes))
    return file_match.build_index(
        ids, paths, classes, target.reshape(shape), masks=truth, codes=codes
    )


def _layers(
    ids: Sequence[str],
    paths: Sequence[Path],
    masks: file_match.Listing,
    data: DataConfig,
    task: Task,
    complaints: list[str],
) -> tuple[tuple[str, ...], tuple[str, ...], list[FileSource]]:
    """One folder per class, with one file per image."""
    names = sorted({name.partition("/")[0] for name, _ in masks.images})
    away = [name for name in names if is_background(name)]
    if away:
        say(f"{masks.folder}: the folder {away[0]!r} is no class: it is what no class has")
        names.remove(away[0])
    if data.classes and sorted(data.classes) != names:
        complaints.append(
            f"data.classes: {first(data.classes)}; {masks.folder} has the folders {first(names)}"
        )
    classes = tuple(data.classes or names)
    form = MaskForm(len(classes), task.layers(len(classes)))
    folders = {
        name: file_match.list_files(masks.folder / name, Path(data.root))
        for name in classes
        if name in names
    }
    found: list[list[tuple[int, Path]]] = [[] for _ in ids]
    for number, name in enumerate(classes, 1):
        for row, wanted in enumerate(ids):
            there = folders[name].find(wanted) if name in folders else []
            found[row] += [(number, path) for path in there[:1]]
    used = Counter(path for row in found for _, path in row)
    lost = [
        name
        for name, path in masks.images
        if path not in used and name.partition("/")[0] not in away
    ]
    if lost:
        complaints.append(f"{len(lost)} masks in {masks.folder} have no image: {first(lost)}")
    sources = [FileSource(path, tuple(row), form) for path, row in zip(paths, found, strict=True)]
    return classes, classes, sources
