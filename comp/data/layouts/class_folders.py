"""Layouts in which the folder or the name of an image is its label; see
`comp.data.layouts.layouts`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from comp.config.schema import AUTO_GROUP, DataConfig
from comp.core.errors import DataError, complain, first
from comp.data.index import file_match
from comp.data.index.image_files import stem_of
from comp.data.index.index import Index
from comp.data.labels import labels
from comp.data.layouts.mask_files import index_of
from comp.data.masks.file_source import FileSource
from comp.data.masks.form import MaskForm
from comp.tasks.kinds import Task

DEFECTS = ("normal", "defect")
DEFECT_TEST = "test/images"
_DEFECT_IMAGES, _DEFECT_MASKS = "train/defect_images", "train/defect_masks"
_NORMAL_IMAGES = "train/normal_images"


# How names hold a label: before a running number, behind it, or between two numbers
_PATTERNS = (
    r"^(.*[^\W\d_])[\W_]*\d+\W*$",
    r"^\d+[\W_]*([^\W\d].*)$",
    r"^\d+[\W_]+(.*[^\W\d_])[\W_]*\d+\W*$",
)
_MOST_LABELS = 200
_FEW, _MOST_HAVE, _MOST = 2, 5, 0.8  # images of each label; of most of them; how many are most


def likely_pattern(names: Sequence[str]) -> str | None:
    """The pattern by which every name holds a label: 2 to 200 labels of several images each; None
    where names do not look like that.

    names: of images, with their folders and suffixes.
    """
    for pattern in _PATTERNS:
        counts = Counter(labels_in(names, pattern))
        often = sum(count >= _MOST_HAVE for count in counts.values())
        enough = counts and min(counts.values()) >= _FEW and often >= _MOST * len(counts)
        if enough and "" not in counts and 2 <= len(counts) <= _MOST_LABELS:
            return pattern
    return None


def labels_in(names: Sequence[str], pattern: str) -> list[str]:
    """The label in each name; nothing where the pattern finds none."""
    stems = (stem_of(name.rpartition("/")[2]) for name in names)
    found = (re.search(pattern, stem) for stem in stems)
    return [(match[1] or "") if match else "" for match in found]


def names_lacks(data: DataConfig) -> list[str]:
    """What is missing for labels in the names of images, as complaints."""
    folder = Path(data.root) / data.train_images
    if not folder.is_dir() or data.label_from_name is not None:
        return file_match.no_folders(folder)
    names = [name for name, _ in file_match.list_files(folder, Path(data.root)).images]
    if likely_pattern(names) is not None:
        return []
    return [
        f"the names in {folder} do not tell 2 to {_MOST_LABELS} labels, as cat.0.png, dog_12.png "
        f"do: {first(names, 3) or 'no images'}. Say where the label is with data.label_from_name"
    ]


def names_train(data: DataConfig, task: Task) -> Index:
    """The images of `train_images` with the labels in their names; ids are their paths below it."""
    folder = Path(data.root) / data.train_images
    listing = file_match.list_files(folder, Path(data.root))
    file_match.say_not_read(listing)
    ids = [name for name, _ in listing.images]
    pattern = data.label_from_name or likely_pattern(ids) or _PATTERNS[0]
    texts = labels_in(ids, pattern)
    without = [name for name, text in zip(ids, texts, strict=True) if not text]
    complaints = [*_without_table(data, task), *file_match.bad_ids(ids, [str(folder)] * len(ids))]
    if without:
        complaints.append(
            f"{len(without)} names have no label by {pattern!r} (data.label_from_name): "
            f"{first(without)}"
        )
    read = labels.number(texts, [0] * len(texts), task, data.classes)
    wrong = [line.removeprefix("line 0: ") for line in read.complaints] if not without else []
    complain(DataError, f"{folder}: not images with labels in names:", [*complaints, *wrong])
    paths = [path for _, path in listing.images]
    return file_match.build_index(ids, paths, read.classes, read.target)


def folders_lacks(data: DataConfig) -> list[str]:
    """What is missing for one folder per class, as complaints."""
    folder = Path(data.root) / data.train_images
    if not folder.is_dir():
        return file_match.no_folders(folder)
    there = _class_folders(folder)
    return [] if there else [f"{folder} holds no folders: there must be one per class"]


def _class_folders(folder: Path) -> list[str]:
    folders = [item.name for item in folder.iterdir() if item.is_dir()]
    return [file_match.nfc(name) for name in folders if file_match.wanted(name)]


def folders_train(data: DataConfig, task: Task) -> Index:
    """The images in `train_images/<class>/...`; ids are their paths below `train_images`."""
    folder = Path(data.root) / data.train_images
    listing = file_match.list_files(folder, Path(data.root))
    ids = [name for name, _ in listing.images]
    loose = [name for name in ids if "/" not in name]
    texts = [name.partition("/")[0] for name in ids]
    complaints = [*_without_table(data, task), *file_match.bad_ids(ids, [str(folder)] * len(ids))]
    complaints += [f"{name!r} is in two spellings" for name, n in Counter(ids).items() if n > 1]
    file_match.say_not_read(listing)
    hollow = sorted({*_class_folders(folder)} - {*texts})
    if hollow:
        complaints.append(f"folders of a class without images: {first(hollow)}")
    if loose:
        complaints.append(f"{len(loose)} images lie in no folder of a class: {first(loose)}")
    read = labels.number(texts, [0] * len(texts), task, data.classes)
    wrong = [line.removeprefix("line 0: ") for line in read.complaints] if not loose else []
    complain(DataError, f"{folder}: not one folder per class:", [*complaints, *wrong])
    return file_match.build_index(
        ids, [path for _, path in listing.images], read.classes, read.target
    )


def _without_table(data: DataConfig, task: Task) -> list[str]:
    out = []
    if task.target_kind == "columns":
        out.append(
            f"folders and names give one class per image; task: {task.name} needs the layout 'csv'"
        )
    if data.group not in (None, AUTO_GROUP):
        out.append(f"data.group: {data.group!r} is a column, and this layout reads no table")
    return out


def defects_lacks(data: DataConfig) -> list[str]:
    """Which of the three folders of training files are missing, as complaints."""
    root = Path(data.root)
    return file_match.no_folders(
        *(root / p for p in (_DEFECT_IMAGES, _DEFECT_MASKS, _NORMAL_IMAGES))
    )


def defects_train(data: DataConfig, task: Task) -> Index:
    """The normal and the defect images, with the masks of the latter; ids are file names."""
    root = Path(data.root)
    sides = [
        file_match.list_files(root / folder, root) for folder in (_NORMAL_IMAGES, _DEFECT_IMAGES)
    ]
    names = Counter(name for side in sides for name, _ in side.images)
    ids, paths, texts = list[str](), list[Path](), list[str]()
    for side, label in zip(sides, DEFECTS, strict=True):
        for name, path in side.images:
            ids.append(name if names[name] == 1 else f"{side.folder.name}/{name}")
            paths.append(path)
            texts.append(label)
    masks, unclear = _masks(paths, texts, file_match.list_files(root / _DEFECT_MASKS, root), task)
    complaints = [*_without_table(data, task), *file_match.bad_ids(ids, [str(p) for p in paths])]
    complaints += [f"{s.folder}: no images" for s in sides if not s.images]
    classes = data.classes or DEFECTS
    if not task.spatial and sorted(classes) != sorted(DEFECTS):
        complaints.append(f"data.classes: {first(classes)}; here they are {first(DEFECTS)}")
    complain(
        DataError,
        f"{data.root}: not data of the layout 'defects':",
        [*complaints, *unclear],
    )
    if task.spatial:
        form = MaskForm(1, 1)
        sources = [
            FileSource(path, ((1, mask),) if mask else (), form)
            for path, mask in zip(paths, masks, strict=True)
        ]
        return index_of(ids, paths, DEFECTS[1:], ("1",), sources, task, data.cache)
    read = labels.number(texts, [0] * len(texts), task, classes)
    return file_match.build_index(ids, paths, read.classes, read.target, mask_paths=masks)


def _masks(
    paths: Sequence[Path], texts: Sequence[str], listing: file_match.Listing, task: Task
) -> tuple[list[Path | None], list[str]]:
    """The mask of each defect image: the image file of the same stem. Only pixels need them all."""
    out: list[Path | None] = []
    missing, unclear = [], []
    for path, text in zip(paths, texts, strict=True):
        found = listing.find(path.stem) if text == DEFECTS[1] else []
        out.append(found[0] if found else None)
        if text == DEFECTS[1] and not found:
            missing.append(path.name)
        if len(found) > 1:
            unclear.append(f"{path.name} may have the mask {first(p.name for p in found)}")
    if missing and task.spatial:
        unclear.append(f"{len(missing)} images have no mask in {listing.folder}: {first(missing)}")
    return out, unclear
