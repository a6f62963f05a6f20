"""COCO's json files: images, categories and annotations, and what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files
from comp.core.errors import DataError, first
from comp.core.progress import say
from comp.data.index import file_match
from comp.data.index.path_ends import path_id
from comp.data.masks.coco_shapes import shape_fault
from comp.data.masks.form import is_background

Id = int | str  # "7" is 7; "007" and "img-7" are texts
Key = tuple[str, Id]  # the json of an image and its id there

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class CocoImage:
    """An entry of `images`. `path`: None where the file is missing."""

    name: str
    path: Path | None
    height: int
    width: int
    key: Key


@dataclass(frozen=True)
class CocoFiles:
    """What json files say.

    `annotations`  key -> the annotations of an image, in the order of the file
    `categories`   id -> name
    `headed`       whether category 0 is the supercategory of the others, so that it is no class
    `boxes`        the annotations without an outline, which are not in `annotations`
    """

    images: tuple[CocoImage, ...]
    annotations: dict[Key, list[dict[str, Any]]]
    categories: dict[Id, str]
    complaints: tuple[str, ...]
    headed: bool
    boxes: tuple[Any, ...] = ()


def image_ids(path: Path) -> dict[str, Id]:
    """The id of each image in a json, by its file name, and by the last part of it where no other
    image has the same; none where it is not COCO's."""
    images = files.read_json(path, DataError).get("images", ())
    named = {str(item["file_name"]): id_of(item["id"]) for item in images}
    bare = Counter(path_id(name).parts[-1] for name in named)
    last = {path_id(name).parts[-1]: number for name, number in named.items()}
    return {name: number for name, number in last.items() if bare[name] == 1} | named


def id_of(value: Any) -> Id:
    """An id of COCO: a whole number, or a text. Raises ValueError for what is neither."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip():
        return int(value) if _NUMBER.fullmatch(value) else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"an id is a number or a text, found {value!r}")


def order_of(category: Id) -> tuple[bool, Any]:
    """Where a category stands among others: numbers first, then texts."""
    return isinstance(category, str), category


def read_coco(
    paths: tuple[Path, ...], root: Path, folder: str, *, areas: bool = False
) -> CocoFiles:
    """The json files in `paths`, with complaints about what is wrong in them.

    folder: where images may lie, below `root`, besides the folder of their json. areas: whether
    each annotation needs an area. Raises DataError for what is no COCO json.
    """
    images: list[CocoImage] = []
    marked: dict[Key, list[dict[str, Any]]] = {}
    categories: dict[Id, str] = {}
    complaints: list[str] = []
    boxes: list[Any] = []
    above: set[str] = set()
    for path in paths:
        tree = files.read_json(path, DataError)
        try:
            for item in tree["categories"]:
                name = categories.setdefault(id_of(item["id"]), str(item["name"]))
                above.add(str(item.get("supercategory")))
                if name != str(item["name"]):
                    complaints.append(f"category {item['id']} is {name!r} and {item['name']!r}")
            places = (path.parent, root / folder)
            own = [_image(item, places, root, path) for item in tree["images"]]
            complaints += _twice(own, path)
            images += own
            marked |= {image.key: [] for image in own}
            sizes = {image.key: (image.height, image.width) for image in own}
            boxes += [item.get("id", "?") for item in tree["annotations"] if _is_box(item)]
            outlined = [item for item in tree["annotations"] if not _is_box(item)]
            complaints += _attach(outlined, str(path), marked, categories, sizes, areas)
        except KeyError as problem:
            raise DataError(f"{path}: not COCO annotations: {problem} is missing") from problem
        except (AttributeError, TypeError, ValueError) as problem:
            raise DataError(f"{path}: not COCO annotations ({problem})") from problem
    complaints += [f"{first([p.name for p in paths])}: lists no images"] if not images else []
    if boxes and not any(marked.values()) and not complaints:
        complaints.append(
            f"none of the {len(boxes)} annotations has an outline (segmentation): they are boxes, "
            "and masks are made of outlines"
        )
    names = [i.name if i.path is None else "/".join(path_id(i.name).parts) for i in images]
    complaints += file_match.bad_ids(names, [i.key[0] for i in images])
    headed = categories.get(0) in above
    if not complaints:
        _drop_background(categories, marked)
    return CocoFiles(
        tuple(images), marked, categories, tuple(complaints), headed, boxes=tuple(boxes)
    )


def _drop_background(categories: dict[Id, str], marked: dict[Key, list[dict[str, Any]]]) -> None:
    """Take out a category that is the background, and what is annotated as it."""
    away = {number: name for number, name in categories.items() if is_background(name)}
    if not away or len(away) == len(categories):
        return
    say(f"the category {first([*away.values()])} is no class: it is what no class has")
    for number in away:
        del categories[number]
    for key, shapes in marked.items():
        marked[key] = [shape for shape in shapes if id_of(shape["category_id"]) not in away]


def _is_box(item: dict[str, Any]) -> bool:
    """Whether an annotation has no outline."""
    outline = item.get("segmentation")
    return outline == [] or (outline is None and bool(item.get("bbox")))


def _image(item: dict[str, Any], places: Sequence[Path], root: Path, path: Path) -> CocoImage:
    try:
        name, key = str(item["file_name"]), (str(path), id_of(item["id"]))
        size = int(item["height"]), int(item["width"])
        return CocoImage(name, _find(name, places, root), *size, key)
    except (KeyError, TypeError, ValueError) as problem:
        reason = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        shown = str(item)[:80]
        raise DataError(f"{path}: not COCO annotations: the image {shown}: {reason}") from problem


def _twice(images: Sequence[CocoImage], path: Path) -> list[str]:
    """Complaints about ids that several images have, and files that are listed several times."""
    numbers, names = Counter(i.key[1] for i in images), Counter(i.name for i in images)
    shared = [f"{i.name} ({i.key[1]})" for i in images if numbers[i.key[1]] > 1]
    again = [name for name, count in names.items() if count > 1]
    out = [f"{path.name}: images with the same id: {first(shared)}"] if shared else []
    return out + ([f"{path.name}: images listed twice: {first(again)}"] if again else [])


def _find(name: str, places: Sequence[Path], root: Path) -> Path | None:
    """The image of a file name, or of the longest end of it, that does not lead out of the data."""
    parts = path_id(name).parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)) if ".." not in parts[start:])
    for path in (place / part for part in dict.fromkeys((name, *ends)) for place in places):
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return path
    return None


def _attach(
    annotations: Sequence[dict[str, Any]],
    where: str,
    marked: dict[Key, list[dict[str, Any]]],
    categories: dict[Id, str],
    sizes: dict[Key, tuple[int, int]],
    areas: bool,
) -> Iterator[str]:
    """Add each annotation to its image; complaints about those that belong to none."""
    lost, unknown, wrong = [], [], []
    padded = _padded(sizes)
    for item in annotations:
        number = item.get("id", "?")
        image, category = _id_or_none(item.get("image_id")), _id_or_none(item.get("category_id"))
        key = where, "" if image is None else image
        key = key if key in marked else padded.get(_digits(image), key)
        if key not in marked:
            lost.append(number)
        elif category not in categories:
            unknown.append(f"{number} (category {item.get('category_id')!r})")
        elif fault := shape_fault(item.get("segmentation"), sizes[key]):
            wrong.append(f"{number} {fault}")
        elif areas and not isinstance(item.get("area"), int | float):
            wrong.append(f"{number} has no area, which data.on_top: smaller needs")
        else:
            marked[key].append(item)
    for numbers, what in (
        (lost, "of images that are not listed"),
        (unknown, "of unknown categories"),
        (wrong, "that cannot be read"),
    ):
        if numbers:
            yield f"{Path(where).name}: {len(numbers)} annotations {what}: {first(numbers)}"


def _padded(keys: Iterable[Key]) -> dict[int | None, Key]:
    """The only image whose id has these digits, for "007" where it is called 7 elsewhere."""
    digits = {key: _digits(key[1]) for key in keys}
    counts = Counter(digits.values())
    return {n: key for key, n in digits.items() if n is not None and counts[n] == 1}


def _digits(value: Id | None) -> int | None:
    return int(value) if isinstance(value, int) or (value and value.isdecimal()) else None


def _id_or_none(value: Any) -> Id | None:
    try:
        return id_of(value)
    except ValueError:
        return None


def warn_of_annotations(read: CocoFiles) -> None:
    """Print warnings: about annotations that cover no pixel, reach beyond their image, or belong to
    a category 0 that is the supercategory of the others."""
    if read.boxes:
        count = len(read.boxes) + sum(map(len, read.annotations.values()))
        say(
            f"warning: {len(read.boxes)} of {count} annotations are boxes without an outline "
            f"(segmentation); they mark no pixel: {first(read.boxes)}"
        )
    thin, beyond, heading = [], [], []
    for image in read.images:
        limit = np.array([image.width + 1, image.height + 1])
        for item in read.annotations[image.key]:
            number = item.get("id", "?")
            if id_of(item["category_id"]) == 0 and read.headed:
                heading.append(number)
            if not isinstance(item["segmentation"], list):
                continue
            points = [np.reshape(p, (-1, 2)) for p in item["segmentation"] if len(p) >= 6]
            if len(points) < len(item["segmentation"]) or not points:
                thin.append(number)
            if any(p.min() < -1 or (p.max(axis=0) > limit).any() for p in points):
                beyond.append(number)
    above = f"{read.categories.get(0)!r}, the supercategory of the others"
    for ids, what in (
        (thin, "have polygons of fewer than three points; those cover nothing"),
        (beyond, "reach beyond their image; what is inside is used"),
        (heading, f"are of category 0, {above}"),
    ):
        if ids:
            say(f"warning: {len(ids)} annotations {what}: {first(ids)}")
