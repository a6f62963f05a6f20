"""COCO's json files: images, categories and annotations, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files
from comp.core.errors import DataError, first
from comp.core.progress import say
from comp.data.index import file_match
from comp.data.masks.coco_shapes import shape_fault

Key = tuple[str, int]  # the json of an image and its id there


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
    """

    images: tuple[CocoImage, ...]
    annotations: dict[Key, list[dict[str, Any]]]
    categories: dict[int, str]
    complaints: tuple[str, ...]
    headed: bool


def image_ids(path: Path) -> dict[str, int]:
    """The number of each image in a json, by its file name; none where it is not COCO's."""
    images = files.read_json(path, DataError).get("images", ())
    return {str(item["file_name"]): int(item["id"]) for item in images}


def read_coco(
    paths: tuple[Path, ...], root: Path, folder: str, *, areas: bool = False
) -> CocoFiles:
    """The json files in `paths`, with complaints about what is wrong in them.

    folder: where images may lie, below `root`, besides the folder of their json. areas: whether
    each annotation needs an area. Raises DataError for what is no COCO json.
    """
    images: list[CocoImage] = []
    marked: dict[Key, list[dict[str, Any]]] = {}
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
            marked |= {image.key: [] for image in own}
            sizes = {image.key: (image.height, image.width) for image in own}
            found = _attach(tree["annotations"], str(path), marked, categories, sizes, areas)
            complaints += list(found)
        except KeyError as problem:
            raise DataError(f"{path}: not COCO annotations: {problem} is missing") from problem
        except (TypeError, ValueError) as problem:
            raise DataError(f"{path}: not COCO annotations ({problem})") from problem
    complaints += [f"{first([p.name for p in paths])}: lists no images"] if not images else []
    complaints += file_match.bad_ids([i.name for i in images], [i.key[0] for i in images])
    headed = categories.get(0) in above
    return CocoFiles(tuple(images), marked, categories, tuple(complaints), headed)


def _image(item: dict[str, Any], places: Sequence[Path], root: Path, path: Path) -> CocoImage:
    try:
        name, key = str(item["file_name"]), (str(path), int(item["id"]))
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
    """The image of a file name that does not lead out of the data."""
    bare = Path(name.replace("\\", "/")).name
    for path in (place / part for part in dict.fromkeys((name, bare)) for place in places):
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return path
    return None


def _attach(
    annotations: Sequence[dict[str, Any]],
    where: str,
    marked: dict[Key, list[dict[str, Any]]],
    categories: dict[int, str],
    sizes: dict[Key, tuple[int, int]],
    areas: bool,
) -> Iterator[str]:
    """Add each annotation to its image; complaints about those that belong to none."""
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


def _whole(value: Any) -> int | None:
    """A whole number, or None for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def warn_of_annotations(read: CocoFiles) -> None:
    """Print warnings: about annotations that cover no pixel, reach beyond their image, or belong to
    a category 0 that is the supercategory of the others."""
    thin, beyond, heading = [], [], []
    for image in read.images:
        limit = np.array([image.width + 1, image.height + 1])
        for item in read.annotations[image.key]:
            number = item.get("id", "?")
            if int(item["category_id"]) == 0 and read.headed:
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
