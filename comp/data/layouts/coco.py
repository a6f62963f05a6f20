"""The layout `coco`: images, and what is marked on them in COCO's json.

The json of the training images is `data.annotations`; without it, `_annotations.coco.json` in
`train/` and `valid/` (as Roboflow exports them; its split is not ours: folds are), or a json that
is called after the training images. A category 0 without annotations is a heading, not a class.
The classes are in the order of their ids; an id of an image is its file name, with its folder in
front where two folders have a file of that name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core import files
from comp.core.errors import DataError, complain, first
from comp.core.progress import say
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.data.masks.coco_shapes import shape_fault
from comp.data.masks.form import MaskForm
from comp.data.masks.sources import ON_TOP, CocoSource, Shape
from comp.tasks.kinds import Task

_ROBOFLOW = "_annotations.coco.json"


def image_ids(path: Path) -> dict[str, int]:
    """The number of each image in a json, by its file name; none where it is not COCO's."""
    images = files.read_json(path, DataError).get("images", ())
    return {str(item["file_name"]): int(item["id"]) for item in images}


@dataclass(frozen=True)
class Read:
    """What the json files say.

    `images`      (file name, its path or None, height, width, key) of each image
    `marked`      key -> its annotations, in the order of the file
    `categories`  id -> name
    `headed`      whether category 0 is what the others are under, so that it is no class
    """

    images: tuple[tuple[str, Path | None, int, int, tuple[str, int]], ...]
    marked: dict[tuple[str, int], list[dict[str, Any]]]
    categories: dict[int, str]
    complaints: tuple[str, ...]
    headed: bool


def annotation_files(data: DataConfig) -> list[Path]:
    """The json files of the training images; none where they cannot be told."""
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
    read = _read(paths, Path(data.root), data.train_images, areas=areas)
    complaints = list(read.complaints)
    categories, classes = _classes(read, data, complaints)
    complaints += [f"no file for the image {name!r}" for name, path, *_ in read.images if not path]
    complaints += _repeated(read)
    complaints += _unlisted(read, data)
    if data.group not in (None, AUTO_GROUP):
        complaints.append(f"data.group: {data.group!r} is a column, and this layout has no table")
    names = _names(read)
    complain(DataError, f"{data.root}: not right as data of the layout 'coco':", complaints)
    form = MaskForm(len(classes), task.layers(len(classes)))
    masks = Masks([_source(row, read, categories, data, form) for row in read.images], form.layers)
    _tell_odd(read)
    target = np.stack([masks.objects(row) > 0 for row in range(len(masks))]).astype(np.int64)
    there = [path for _, path, *_ in read.images if path is not None]
    codes = tuple(str(number) for number in categories)
    return file_match.build_index(names, there, classes, target, masks=masks, codes=codes)


def read_masks(
    path: Path, data: DataConfig, task: Task, classes: tuple[str, ...], ids: Sequence[str]
) -> Masks:
    """The masks of `ids`, which may be names without suffix, from another json (of the test set).

    Raises DataError for ids that are not in it, and for other categories.
    """
    read = _read((path,), Path(data.root), data.test_images)
    complaints = list(read.complaints)
    categories, found = _classes(read, data, complaints, classes)
    rows = {row[0]: row for row in read.images} | {Path(row[0]).stem: row for row in read.images}
    missing = [name for name in ids if name not in rows]
    if missing:
        complaints.append(f"{len(missing)} test ids are not in it: {first(missing)}")
    if found != classes:
        complaints.append(f"its classes are {first(found, 12)}, those of training {first(classes)}")
    complain(DataError, f"{path}: not the answers:", complaints)
    form = MaskForm(len(classes), task.layers(len(classes)))
    return Masks([_source(rows[name], read, categories, data, form) for name in ids], form.layers)


def _read(paths: tuple[Path, ...], root: Path, folder: str, *, areas: bool = False) -> Read:
    """areas: whether annotations need one."""
    images: list[tuple[str, Path | None, int, int, tuple[str, int]]] = []
    marked: dict[tuple[str, int], list[dict[str, Any]]] = {}
    categories: dict[int, str] = {}
    complaints: list[str] = []
    above: set[str] = set()
    for path in paths:
        tree = files.read_json(path, DataError)
        try:
            for item in tree["categories"]:
                name = categories.setdefault(int(item["id"]), str(item["name"]))
                above.add(str(item.get("supercategory")))
                if name != str(item["name"]):
                    complaints.append(f"category {item['id']} is {name!r} and {item['name']!r}")
            places = (path.parent, root / folder)
            own = [_image(item, places, root, path) for item in tree["images"]]
            complaints += _twice(own, path)
            images += own
            marked |= {row[4]: [] for row in own}
            sizes = {row[4]: (row[2], row[3]) for row in own}
            found = _attach(tree["annotations"], str(path), marked, categories, sizes, areas)
            complaints += list(found)
        except KeyError as problem:
            raise DataError(f"{path}: not COCO annotations: {problem} is missing") from problem
        except (TypeError, ValueError) as problem:
            raise DataError(f"{path}: not COCO annotations ({problem})") from problem
    complaints += [f"{first([p.name for p in paths])}: lists no images"] if not images else []
    complaints += file_match.bad_ids([row[0] for row in images], [row[4][0] for row in images])
    return Read(tuple(images), marked, categories, tuple(complaints), categories.get(0) in above)


def _image(
    item: dict[str, Any], places: Sequence[Path], root: Path, path: Path
) -> tuple[str, Path | None, int, int, tuple[str, int]]:
    try:
        name, key = str(item["file_name"]), (str(path), int(item["id"]))
        return name, _find(name, places, root), int(item["height"]), int(item["width"]), key
    except (KeyError, TypeError, ValueError) as problem:
        told = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        raise DataError(f"{path}: not COCO annotations: the image {str(item)[:80]}: {told}") from (
            problem
        )


def _twice(
    rows: Sequence[tuple[str, Path | None, int, int, tuple[str, int]]], path: Path
) -> list[str]:
    """Complaints about numbers that two images have, and about files that are listed twice."""
    numbers, names = Counter(row[4][1] for row in rows), Counter(row[0] for row in rows)
    shared = [f"{row[0]} ({row[4][1]})" for row in rows if numbers[row[4][1]] > 1]
    again = [name for name, count in names.items() if count > 1]
    out = [f"{path.name}: images with the same id: {first(shared)}"] if shared else []
    return out + ([f"{path.name}: images listed twice: {first(again)}"] if again else [])


def _find(name: str, places: Sequence[Path], root: Path) -> Path | None:
    """The image of a file name that does not lead out of the data."""
    bare = Path(name.replace("\\", "/")).name
    for path in (place / part for part in dict.fromkeys((name, bare)) for place in places):
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return path
    return None


def _attach(
    annotations: Sequence[dict[str, Any]],
    where: str,
    marked: dict[tuple[str, int], list[dict[str, Any]]],
    categories: dict[int, str],
    sizes: dict[tuple[str, int], tuple[int, int]],
    areas: bool,
) -> Iterator[str]:
    """Put each annotation to its image; complaints about those that cannot be."""
    lost, unknown, wrong = [], [], []
    for item in annotations:
        number = item.get("id", "?")
        image, category = _whole(item.get("image_id")), _whole(item.get("category_id"))
        key = where, -1 if image is None else image
        if key not in marked:
            lost.append(number)
        elif category not in categories:
            unknown.append(f"{number} (category {item.get('category_id')!r})")
        elif fault := shape_fault(item.get("segmentation"), sizes[key]):
            wrong.append(f"{number} {fault}")
        elif areas and not isinstance(item.get("area"), int | float):
            wrong.append(f"{number} has no area, which data.on_top: smaller goes by")
        else:
            marked[key].append(item)
    for numbers, what in (
        (lost, "of images that are not listed"),
        (unknown, "of unknown categories"),
        (wrong, "that mark nothing that can be read"),
    ):
        if numbers:
            yield f"{Path(where).name}: {len(numbers)} annotations {what}: {first(numbers)}"


def _whole(value: Any) -> int | None:
    """A number of COCO's; None for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _classes(
    read: Read, data: DataConfig, complaints: list[str], known: tuple[str, ...] = ()
) -> tuple[list[int], tuple[str, ...]]:
    """The ids of the categories that are classes, in the order of the classes, and their names."""
    used = {int(item["category_id"]) for items in read.marked.values() for item in items}
    ids = [number for number in sorted(read.categories) if number or number in used]
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
    row: tuple[str, Path | None, int, int, tuple[str, int]],
    read: Read,
    categories: Sequence[int],
    data: DataConfig,
    form: MaskForm,
) -> CocoSource:
    _, path, height, width, key = row
    assert path is not None, "complained of before"
    number_of = {category: place for place, category in enumerate(categories, 1)}
    items = read.marked[key]
    if data.on_top == "larger_id":  # of the category, whatever the order of the classes
        items = sorted(items, key=lambda item: int(item["category_id"]))
    by_area = data.on_top == "smaller"
    shapes = [
        Shape(
            number_of[int(item["category_id"])],
            item["segmentation"],
            float(item["area"]) if by_area else 0.0,
        )
        for item in items
    ]
    shapes = shapes if data.on_top == "larger_id" else ON_TOP[data.on_top](shapes)
    return CocoSource(path, (height, width), tuple(shapes), form)


def _names(read: Read) -> list[str]:
    """The id of each image."""
    seen = Counter(name for name, *_ in read.images)
    return [
        name if seen[name] == 1 or path is None else f"{path.parent.name}/{name}"
        for name, path, *_ in read.images
    ]


def _repeated(read: Read) -> list[str]:
    """A complaint for each file that several entries of the json files are about."""
    entries: dict[Path, list[str]] = {}
    for _, path, _, _, (where, number) in read.images:
        if path is not None:
            entries.setdefault(path.resolve(), []).append(f"{Path(where).name}, id {number}")
    return [
        f"the image {path.name!r} is listed several times: {first(places, 3)}"
        for path, places in entries.items()
        if len(places) > 1
    ]


def _unlisted(read: Read, data: DataConfig) -> list[str]:
    """A complaint about images that lie beside the listed ones and are in no json."""
    there = {path.resolve() for _, path, *_ in read.images if path is not None}
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
    return [f"{len(extra)} images are in no json; remove them, or list them: {first(extra)}"]


def _tell_odd(read: Read) -> None:
    """Say what covers no pixel, or reaches beyond its image: it is left out, or cut. And which
    annotations make a class of a category 0 that the others are under, which is a heading."""
    thin, beyond, heading = [], [], []
    for _, _, height, width, key in read.images:
        for item in read.marked[key]:
            if int(item["category_id"]) == 0 and read.headed:
                heading.append(item.get("id", "?"))
            if not isinstance(item["segmentation"], list):
                continue
            points = [np.asarray(p, dtype=float) for p in item["segmentation"] if len(p) >= 6]
            if len(points) < len(item["segmentation"]) or not points:
                thin.append(item.get("id", "?"))
            if any(p.min() < -1 or p[::2].max() > width + 1 or p[1::2].max() > height + 1
                   for p in points):  # fmt: skip
                beyond.append(item.get("id", "?"))
    for ids, what in (
        (thin, "have polygons of fewer than three points; those cover nothing"),
        (beyond, "reach beyond their image; what is inside is used"),
        (heading, f"are of category 0, {read.categories.get(0)!r}, the heading of the others"),
    ):
        if ids:
            say(f"warning: {len(ids)} annotations {what}: {first(ids)}")
