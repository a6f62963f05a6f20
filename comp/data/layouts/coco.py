"""The layout `coco`: images with the annotations of COCO's json.

The json of the training images is `data.annotations`; without it, `_annotations.coco.json` in
`train/` and `valid/` (as Roboflow exports them; folds are made of both), or a json with `train` in
its name. A category 0 without annotations is a supercategory, not a class. The classes are in the
order of their ids. The id of an image is its file name, with its folder in front where two folders
have a file of that name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core.errors import DataError, complain, first
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.data.layouts.coco_json import (
    CocoFiles,
    CocoImage,
    Id,
    id_of,
    order_of,
    read_coco,
    warn_of_annotations,
)
from comp.data.masks.form import MaskForm
from comp.data.masks.sources import ON_TOP, CocoSource, Shape
from comp.tasks.kinds import Task

_ROBOFLOW = "_annotations.coco.json"


def annotation_files(data: DataConfig) -> list[Path]:
    """The json files of the training images; none where they cannot be found."""
    root = Path(data.root)
    if data.annotations:
        return [root / name for name in data.annotations]
    split = [root / name / _ROBOFLOW for name in dict.fromkeys((data.train_images, "valid"))]
    found = [path for path in split if path.is_file()]
    if found:
        return found
    places = [*sorted(root.glob("*.json")), *sorted(root.glob("annotations/*.json"))]
    return [path for path in places if "train" in path.name.lower()]


def lacks(data: DataConfig) -> list[str]:
    """What is missing for the layout, as complaints."""
    paths = annotation_files(data)
    out = [f"the file {path} is missing (data.annotations)" for path in paths if not path.is_file()]
    if not paths:
        out.append(f"{data.root}: no json with 'train' in its name (name it in data.annotations)")
    return out


def train(data: DataConfig, task: Task) -> Index:
    """The images of the json files, with their masks."""
    areas = data.on_top == "smaller"
    paths = tuple(annotation_files(data))
    read = read_coco(paths, Path(data.root), data.train_images, areas=areas)
    complaints = list(read.complaints)
    categories, classes = _classes(read, data, complaints)
    complaints += [f"no file for the image {i.name!r}" for i in read.images if not i.path]
    complaints += _repeated(read)
    complaints += _unlisted(read, data)
    if data.group not in (None, AUTO_GROUP):
        complaints.append(f"data.group: {data.group!r} is a column, and this layout has no table")
    names = _names(read)
    complain(DataError, f"{data.root}: not data of the layout 'coco':", complaints)
    form = MaskForm(len(classes), task.layers(len(classes)))
    masks = Masks([_source(i, read, categories, data, form) for i in read.images], form.layers)
    warn_of_annotations(read)
    target = np.stack([masks.objects(row) > 0 for row in range(len(masks))]).astype(np.int64)
    there = [image.path for image in read.images if image.path is not None]
    codes = tuple(str(number) for number in categories)
    return file_match.build_index(names, there, classes, target, masks=masks, codes=codes)


def read_masks(
    path: Path, data: DataConfig, task: Task, classes: tuple[str, ...], ids: Sequence[str]
) -> Masks:
    """The masks of `ids`, which may be names without suffix, from another json (of the test set).

    Raises DataError for ids that are not in it, and for other categories.
    """
    read = read_coco((path,), Path(data.root), data.test_images)
    complaints = list(read.complaints)
    categories, found = _classes(read, data, complaints, classes)
    named = {image.name: image for image in read.images}
    named |= {Path(image.name).stem: image for image in read.images}
    missing = [name for name in ids if name not in named]
    if missing:
        complaints.append(f"{len(missing)} test ids are not in it: {first(missing)}")
    if found != classes:
        complaints.append(f"its classes are {first(found, 12)}, those of training {first(classes)}")
    complain(DataError, f"{path}: not the answers:", complaints)
    form = MaskForm(len(classes), task.layers(len(classes)))
    return Masks([_source(named[name], read, categories, data, form) for name in ids], form.layers)


def _classes(
    read: CocoFiles, data: DataConfig, complaints: list[str], known: tuple[str, ...] = ()
) -> tuple[list[Id], tuple[str, ...]]:
    """The ids of the categories that are classes, in the order of the classes, and their names."""
    used = {id_of(item["category_id"]) for items in read.annotations.values() for item in items}
    ids = [number for number in sorted(read.categories, key=order_of) if number or number in used]
    names = [read.categories[number] for number in ids]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        complaints.append(f"several categories are called {first(twice)}")
    wanted = known or data.classes
    if not wanted:
        return ids, tuple(names)
    if sorted(wanted) != sorted(names):
        complaints.append(f"data.classes: {first(wanted, 12)}; the json has {first(names, 12)}")
        return ids, tuple(names)
    place = {name: number for number, name in zip(ids, names, strict=True)}
    return [place[name] for name in wanted], tuple(wanted)


def _source(
    image: CocoImage,
    read: CocoFiles,
    categories: Sequence[Id],
    data: DataConfig,
    form: MaskForm,
) -> CocoSource:
    assert image.path is not None, "reported before"
    number_of = {category: place for place, category in enumerate(categories, 1)}
    items = read.annotations[image.key]
    if data.on_top == "larger_id":  # of the category, whatever the order of the classes
        items = sorted(items, key=lambda item: order_of(id_of(item["category_id"])))
    by_area = data.on_top == "smaller"
    shapes = [
        Shape(
            number_of[id_of(item["category_id"])],
            item["segmentation"],
            float(item["area"]) if by_area else 0.0,
        )
        for item in items
    ]
    shapes = shapes if data.on_top == "larger_id" else ON_TOP[data.on_top](shapes)
    return CocoSource(image.path, (image.height, image.width), tuple(shapes), form)


def _names(read: CocoFiles) -> list[str]:
    """The id of each image."""
    seen = Counter(image.name for image in read.images)
    return [
        i.name if seen[i.name] == 1 or i.path is None else f"{i.path.parent.name}/{i.name}"
        for i in read.images
    ]


def _repeated(read: CocoFiles) -> list[str]:
    """A complaint for each file with several entries in the json files."""
    entries: dict[Path, list[str]] = {}
    for image in read.images:
        if image.path is not None:
            where, number = image.key
            entry = f"{Path(where).name}, id {number}"
            entries.setdefault(image.path.resolve(), []).append(entry)
    return [
        f"the image {path.name!r} is listed several times: {first(places, 3)}"
        for path, places in entries.items()
        if len(places) > 1
    ]


def _unlisted(read: CocoFiles, data: DataConfig) -> list[str]:
    """A complaint about images beside the listed ones that are in no json."""
    there = {i.path.resolve() for i in read.images if i.path is not None}
    folders = sorted({path.parent for path in there})
    test = (Path(data.root) / data.test_images).resolve()
    extra = [
        name
        for folder in folders
        if folder != test
        for name, path in file_match.list_files(folder, Path(data.root)).images
        if path.resolve() not in there and path.resolve().parent == folder
    ]
    if not extra:
        return []
    return [f"{len(extra)} images are in no json; remove them, or add them to it: {first(extra)}"]
