"""The layout `masks`: images in `data.train_images`, their masks as files in `data.masks`.

Either one mask per image, of the same name, whose pixels are class numbers (0 is the background);
or one folder per class in `data.masks`, each with a mask per image that is bright where the class
is (0/255, or nearly so, as JPEG leaves it). An image without a file in a class's folder has none
of it. `data.classes` names the classes; without it they are called by their pixel values.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core import files
from comp.core.errors import DataError, complain, first
from comp.core.known_digests import known_digests
from comp.core.parallel import cores, read_ahead
from comp.core.progress import track
from comp.data.index import file_match
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.data.masks.file_source import FileSource, read_grey
from comp.data.masks.form import MaskForm
from comp.tasks.counts import IGNORED
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]

_MANY = 32  # different values: not numbers of classes, but a photograph of black and white
_NEAR = 16  # of black or white: what JPEG makes of a mask
_NOTES = "mask_values.json"  # in `data.cache`: what was found in files that have not changed


def lacks(data: DataConfig) -> list[str]:
    """What is missing for the layout, as complaints."""
    root = Path(data.root)
    return file_match.no_folders(root / data.train_images, root / data.masks)


def train(data: DataConfig, task: Task) -> Index:
    """The images of `data.train_images`, with their masks."""
    root = Path(data.root)
    listing = file_match.list_files(root / data.train_images, root)
    ids = [name for name, _ in listing.images]
    paths = [path for _, path in listing.images]
    complaints = [] if ids else [f"{listing.folder}: no images"]
    complaints += file_match.bad_ids(ids, [str(listing.folder)] * len(ids))
    if data.group not in (None, AUTO_GROUP):
        complaints.append(f"data.group: {data.group!r} is a column, and this layout has no table")
    masks = file_match.list_files(root / data.masks, root)
    layered = bool(masks.images) and all("/" in name for name, _ in masks.images)
    make = _layers if layered else _numbers
    classes, codes, sources = make(ids, paths, masks, data, task, complaints)
    complain(DataError, f"{data.root}: not data of the layout 'masks':", complaints)
    return index_of(ids, paths, classes, codes, sources, task, data.cache)


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
    looked = _looked(sources, cache)
    known = [replace(source, content=found["content"]) for source, found in looked]
    target = np.array([[n > 0 for n in found["pixels"]] for _, found in looked], dtype=np.int64)
    truth = Masks(known, task.layers(len(classes)))
    shape = (len(ids), len(classes))
    return file_match.build_index(
        ids, paths, classes, target.reshape(shape), masks=truth, codes=codes
    )


def _numbers(
    ids: Sequence[str],
    paths: Sequence[Path],
    masks: file_match.Listing,
    data: DataConfig,
    task: Task,
    complaints: list[str],
) -> tuple[tuple[str, ...], tuple[str, ...], list[FileSource]]:
    """One file per image, whose pixels are the numbers of the classes."""
    found, unfound = file_match.match(ids, masks)
    complaints += unfound
    known = [found[name] for name in ids if name in found]
    values = _values(known, complaints, data.cache)
    here = sorted({value for one in values.values() for value in one} - {0, data.ignore})
    single = len(data.classes) <= 1 and _black_and_white(here)
    if not data.classes and len(here) > 1 and here == [*range(1, len(here)), 255]:
        complaints.append(
            f"{masks.folder}: the masks hold {first(here, 12)}: is 255 to be ignored (data.ignore: "
            "255), or a class? Name the classes in data.classes"
        )
    names = data.classes or (("object",) if single else tuple(str(value) for value in here))
    numbers = [1] if single else list(range(1, len(names) + 1)) if data.classes else here
    if not here and not data.classes:
        complaints.append(f"{masks.folder}: the masks are empty: there is nothing to learn")
    if not single:
        _refuse_values(values, {0, data.ignore, *numbers}, data, complaints)
    form = MaskForm(len(names), task.layers(len(names)))
    table = tuple((value, number) for number, value in enumerate(numbers, 1))
    table = table if data.ignore is None else (*table, (data.ignore, IGNORED))
    sources = [
        FileSource(
            path,
            ((int(single), found[name]),) if name in found else (),
            form,
            () if single else table,
        )
        for name, path in zip(ids, paths, strict=True)
    ]
    return tuple(names), tuple(str(number) for number in numbers), sources


def _black_and_white(values: Sequence[int]) -> bool:
    """Whether masks mark one class, by bright pixels: all are 0 or 255, nearly so as JPEG leaves
    them, or shades of grey. 1 and 255 alone are no such noise."""
    near = all(value <= _NEAR or value >= 255 - _NEAR for value in values)
    noisy = any(255 - _NEAR <= value < 255 for value in values)
    return list(values) == [255] or len(values) > _MANY or (near and noisy)


def _refuse_values(
    values: dict[Path, list[int]], allowed: set[Any], data: DataConfig, complaints: list[str]
) -> None:
    wrong = {path: sorted({*found} - allowed) for path, found in values.items()}
    wrong = {path: rest for path, rest in wrong.items() if rest}
    if wrong:
        shown = [f"{path.name} ({first(rest, 4)})" for path, rest in wrong.items()]
        known = len(data.classes)
        complaints.append(
            f"{len(wrong)} masks hold values that are no class (0 the background, 1 to {known} "
            f"data.classes; data.ignore for pixels that do not count): {first(shown)}"
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
    lost = [name for name, path in masks.images if path not in used]
    if lost:
        complaints.append(f"{len(lost)} masks in {masks.folder} have no image: {first(lost)}")
    sources = [FileSource(path, tuple(row), form) for path, row in zip(paths, found, strict=True)]
    return classes, classes, sources


def _looked(sources: Sequence[FileSource], cache: Path) -> list[tuple[FileSource, dict[str, Any]]]:
    """Each source with the digest of its files and the number of pixels of each class."""

    def look(source: FileSource) -> dict[str, Any]:
        try:
            mask = source.read()
            if source.form.layers == 1:
                pixels = np.bincount(mask.ravel(), minlength=256)[1 : source.form.classes + 1]
            else:
                pixels = (mask == 1).sum(axis=(0, 1))
            return {"content": source.contents(), "pixels": pixels.tolist()}
        except DataError as problem:
            problems.append(str(problem))
            return {}

    problems: list[str] = []
    paths = [path for source in sources for _, path in source.files]
    contents = dict(zip(paths, known_digests(paths, cache), strict=True))
    states = [source.state(contents) for source in sources]
    found = _noted(states, sources, look, cache / _NOTES)
    complain(DataError, f"{len(problems)} masks cannot be used:", sorted(problems))
    return list(zip(sources, found, strict=True))


def _values(paths: Sequence[Path], complaints: list[str], cache: Path) -> dict[Path, list[int]]:
    """The pixel values of each file; complaints about those that cannot be read."""

    def look(path: Path) -> dict[str, Any]:
        try:
            return {"values": np.unique(read_grey(path)).tolist()}
        except DataError as problem:
            problems.append(str(problem))
            return {}

    problems: list[str] = []
    digests = known_digests(paths, cache)
    keys = [f"{path} {digest}" for path, digest in zip(paths, digests, strict=True)]
    found = _noted(keys, paths, look, cache / _NOTES)
    complaints += sorted(problems)[:10]
    return {path: note.get("values", []) for path, note in zip(paths, found, strict=True)}


def _noted(
    keys: Sequence[str], items: Sequence[Any], look: Any, path: Path
) -> list[dict[str, Any]]:
    """`look(item)` of each, which takes reading a file; what was seen before is noted in `path`
    and not looked at again. Nothing is noted of what could not be read."""
    notes: dict[str, Any] = {}
    with contextlib.suppress(DataError):  # none yet, or torn: then all is looked at again
        notes = files.read_json(path, DataError)
    missing = [place for place, key in enumerate(keys) if key not in notes]
    if missing:
        looked = read_ahead(lambda place: look(items[place]), missing, cores())
        looked = track(looked, len(missing), "reading masks")
        new = {keys[place]: found for place, found in zip(missing, looked, strict=True)}
        notes |= {key: found for key, found in new.items() if found}
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, notes)
    return [notes.get(key, {}) for key in keys]
