"""Where a competition keeps its images and labels: from its files to an Index.

`csv`      a table with an id and label columns, and folders of images
`folders`  `train_images/<class>/...`, one folder per class. An id is the path below `train_images`
           with its suffix ("cat/0001.jpg"), so it never depends on the other files.
`names`    `train_images/cat.0.png`: the label is in the name. An id is as in `folders`
`defects`  `train/defect_images`, `train/defect_masks`, `train/normal_images`, `test/images`. An
           id is the file name with its suffix; a name that is in both folders of images gets its
           folder in front. The classes are normal and defect.
`profiles` `train/train.csv` with a row per person and `train/images/<person>/` with their photos;
           `eval/info.csv`, `eval/images`
`coco`     images with masks from COCO's json
`masks`    images and mask files
`rle`      images and a table of run lengths

Test ids are those of the sample submission, as it writes them; without one, every image of the
test folder, with its suffix. One DataError lists all complaints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import DataError, complain, did_you_mean, first, pick
from comp.data.index import file_match
from comp.data.index.data_tables import read_data_table, refuse_no_header, tell
from comp.data.index.index import Index
from comp.data.index.sample_rows import read_sample_rows, row_complaints
from comp.data.index.tables import Table
from comp.data.labels.sample_pairs import sample_pairs
from comp.data.layouts import (
    class_folders,
    coco,
    csv_table,
    mask_files,
    profiles,
    rle_table,
    train_test_overlap,
)
from comp.data.layouts.train_test_overlap import SharedImage
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]

_DEFAULT_SAMPLE = DataConfig.model_fields["sample_submission"].default


@dataclass(frozen=True)
class Layout:
    """One way to lay a competition out.

    `lacks`        data -> what is missing for training, as complaints; empty where it fits
    `train`        data, task -> the Index of the training images
    `test_images`  data -> the folder of the test images
    `samples`      where the sample submission may lie besides `data.sample_submission`
    `needs_sample` whether the default sample submission must be there
    `masks`        whether it has masks, for segmentation
    `labels`       whether it has labels, for classification
    `named`        whether a table names its images; others beside them are not trained on
    """

    lacks: Callable[[DataConfig], list[str]]
    train: Callable[[DataConfig, Task], Index]
    test_images: Callable[[DataConfig], Path]
    samples: tuple[str, ...] = ()
    needs_sample: bool = True
    masks: bool = False
    labels: bool = True
    named: bool = False


def read_index(data: DataConfig, task: Task) -> Index:
    """The training images with their labels.

    target: int64, (N,) or (N, C) by `task.target_ndim`. Raises one DataError with all complaints:
    what is missing, ids that are repeated or have no image, labels that cannot be right; another
    one for files that are test images too.
    """
    layout = _layout(data)
    lacking = layout.lacks(data)
    if lacking:
        fitting = [name for name, other in LAYOUTS.items() if not other.lacks(data)]
        hint = f"layouts that fit: {', '.join(fitting)}" if fitting else "no layout fits"
        complain(DataError, _heading(data), [*lacking, f"{hint} (data.layout)"])
    if not (layout.masks if task.spatial else layout.labels):
        kind = "masks" if task.spatial else "labels"
        others = [name for name, other in LAYOUTS.items() if getattr(other, kind)]
        raise DataError(
            f"data.layout: {data.layout!r} has no {kind}, which task: {task.name} needs; these "
            f"have: {', '.join(others)}"
        )
    index = layout.train(data, task)
    if data.weight is not None and index.weights is None:
        raise DataError(
            f"data.weight: {data.weight!r} is a column of the table of the layout csv; the layout "
            f"{data.layout!r} reads none. Leave it out, or use data.layout: csv"
        )
    shared = in_both(data, task, index, train_test_overlap.same_files)
    complain(DataError, f"{data.root}: {len(shared)} training images are test images:", shared)
    return index


def read_test(data: DataConfig, task: Task, classes: tuple[str, ...]) -> Index:
    """The images that the sample submission lists, without target, sorted by id.

    Raises one DataError for ids that are repeated, cannot be, or have no image.
    """
    folder = _layout(data).test_images(data)
    complain(DataError, _heading(data), file_match.no_folders(folder))
    listing = file_match.list_files(folder, Path(data.root))
    file_match.say_not_read(listing)
    ids, complaints = sample_ids(data, task, listing, told=True)
    found, unfound = file_match.match(ids, listing)
    complain(DataError, _heading(data), [*complaints, *unfound], shown=30)
    return file_match.build_index(ids, [found[name] for name in ids], classes)


def in_both(
    data: DataConfig,
    task: Task,
    index: Index,
    find: Callable[[Index, Sequence[str], file_match.Listing], list[SharedImage]],
) -> list[str]:
    """The overlap of training and test images that `find` of `train_test_overlap` finds.

    Nothing where the test images cannot be read: read_test says why, and training needs none.
    """
    folder = _layout(data).test_images(data)
    if not folder.is_dir():
        return []
    try:
        listing = file_match.list_files(folder, Path(data.root))
        ids, _ = sample_ids(data, task, listing)
        tables = Path(data.root) / data.train_csv, sample_path(data)
        return train_test_overlap.complaints(find(index, ids, listing), data, *tables)
    except DataError:
        return []


def _layout(data: DataConfig) -> Layout:
    layout = pick(LAYOUTS, data.layout, "data.layout")
    open_root(data)
    return layout


def open_root(data: DataConfig) -> Path:
    """`data.root`, which must be a folder."""
    root = Path(data.root)
    if root.is_dir():
        return root
    kind = "is not a folder" if root.exists() else "does not exist"
    above = next(folder for folder in (root.parent, *root.parents) if folder.is_dir())
    beside = sorted(item.name for item in above.iterdir() if item.is_dir())
    missing = root.relative_to(above).parts[0]
    close = did_you_mean(missing, beside, show=lambda name: repr(str(above / name)))
    have = close.strip() or _have(above, beside)
    here = "" if root.is_absolute() else f"; it is relative to the current folder, {Path.cwd()}"
    raise DataError(f"data.root: {data.root!r} {kind}{here}. {have} Set data.root in the config.")


def _have(folder: Path, names: Sequence[str]) -> str:
    return f"{folder.resolve()} holds the folders: {first(names) or 'none'}."


def _heading(data: DataConfig) -> str:
    return f"{data.root}: not data of the layout {data.layout!r}:"


def sample_path(data: DataConfig) -> Path | None:
    """The sample submission that is there, or None when there need be none; else a DataError."""
    if data.sample_submission is None:
        return None
    layout, root = LAYOUTS[data.layout], Path(data.root)
    default = data.sample_submission == _DEFAULT_SAMPLE
    places = sample_places(data)
    there = [root / place for place in places if (root / place).is_file()]
    if there or (default and not layout.needs_sample):
        return there[0] if there else None
    raise DataError(
        f"data.sample_submission: no such file: {' or '.join(str(root / p) for p in places)}; "
        "name the file, or set it to null to predict every image of the test folder"
    )


def sample_places(data: DataConfig) -> list[str]:
    """Where the sample submission may be, below `data.root` or absolute; empty where there need be
    none."""
    if data.sample_submission is None:
        return []
    default = data.sample_submission == _DEFAULT_SAMPLE
    return [
        data.sample_submission,
        *(pick(LAYOUTS, data.layout, "data.layout").samples if default else ()),
    ]


def id_column(table: Table, data: DataConfig) -> str:
    """The column `data.id`, or the first one of a table without it."""
    return data.id if data.id in table.values else table.columns[0]


def sample_ids(
    data: DataConfig, task: Task, listing: file_match.Listing, *, told: bool = False
) -> tuple[list[str], list[str]]:
    """The ids of the test images in the sample submission, or of all where there is none; and
    complaints about them.

    told: whether to say what was interpreted in the sample.
    """
    sample = sample_path(data)
    table = None if sample is None else read_data_table(sample, data)
    if told and table is not None:
        tell(table)
    return (_mask_ids if task.spatial else _test_ids)(data, listing, table)


def _test_ids(
    data: DataConfig, listing: file_match.Listing, table: Table | None
) -> tuple[list[str], list[str]]:
    """The images that a sample lists in rows of images, or of images and classes, and complaints
    about them."""
    if table is None:
        ids = [name for name, _ in listing.images]
        complaints = [] if ids else [f"{listing.folder}: no images"]
        return ids, complaints + file_match.bad_ids(ids, [str(listing.folder)] * len(ids))
    refuse_no_header(table, data, listing)
    sample, key = table.path, id_column(table, data)
    pairs = sample_pairs(table, key, lambda name: bool(listing.find(name)))
    if pairs is not None:
        ids = list(pairs.ids)
        return ids, file_match.bad_ids(ids, [str(sample)] * len(ids), listing)
    ids = table.values[key]
    places = [f"{sample}, line {line}" for line in table.lines]
    complaints = [] if ids else [f"{sample}: no rows: no image is listed"]
    complaints += file_match.bad_ids(ids, places, listing)
    return ids, complaints + [
        f"{sample}: {line}" for line in file_match.repeated_rows(ids, table.lines)
    ]


def _mask_ids(
    data: DataConfig, listing: file_match.Listing, table: Table | None
) -> tuple[list[str], list[str]]:
    """The images that a sample of masks lists, and complaints about them."""
    if table is None:
        return _test_ids(data, listing, table)
    sample = table.path
    rows = read_sample_rows(table, id_column(table, data), lambda name: bool(listing.find(name)))
    ids = list(rows.ids)
    complaints = [] if ids else [f"{sample}: no rows: no image is listed"]
    complaints += file_match.bad_ids(ids, [str(sample)] * len(ids), listing)
    return ids, complaints + [
        f"{sample}: {line}" for line in row_complaints(rows, None, table.lines)
    ]


def test_folder(data: DataConfig) -> Path:
    """The folder of the test images."""
    return _layout(data).test_images(data)


def test_place(data: DataConfig) -> str:
    """The folder of the test images below `data.root`, which need not be there."""
    folder = pick(LAYOUTS, data.layout, "data.layout").test_images(data)
    return folder.relative_to(data.root).as_posix()


def _test_images(data: DataConfig) -> Path:
    return Path(data.root) / data.test_images


# A layout with masks alone, from what it lacks and its training index
_of_masks = partial(Layout, test_images=_test_images, needs_sample=False, masks=True, labels=False)


LAYOUTS = {
    "csv": Layout(csv_table.lacks, csv_table.train, _test_images, named=True),
    "folders": Layout(
        class_folders.folders_lacks,
        class_folders.folders_train,
        _test_images,
        needs_sample=False,
    ),
    "names": Layout(
        class_folders.names_lacks, class_folders.names_train, _test_images, needs_sample=False
    ),
    "defects": Layout(
        class_folders.defects_lacks,
        class_folders.defects_train,
        lambda data: Path(data.root) / class_folders.DEFECT_TEST,
        samples=("test/sample_submission.csv",),
        masks=True,
    ),
    "coco": _of_masks(coco.lacks, coco.train),
    "masks": _of_masks(mask_files.lacks, mask_files.train),
    "rle": _of_masks(rle_table.lacks, rle_table.train),
    "profiles": Layout(
        profiles.lacks,
        profiles.train,
        lambda data: Path(data.root) / profiles.TEST_IMAGES,
        samples=(profiles.TEST_TABLE,),
    ),
}
