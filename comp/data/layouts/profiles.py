"""The layout of the boostcamp mask competition: a folder of photos per person.

    train/train.csv             id, gender, race, age, path: a row per person
    train/images/<path>/        mask1..mask5, incorrect_mask, normal, as any kind of image file
    eval/info.csv, eval/images  ImageID, ans: a class number; the photos

The name of a photo is a column too, `mask`: worn, incorrect or none. Without `data.target` the
class is mask x gender x age, 18 classes in the order of the competition's numbers; a single column
or another choice gives other classes. Photos of one person are a group. An id is the path of a
photo below `train/images`, with its suffix.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from comp.config.schema import JOINT, DataConfig
from comp.core.errors import DataError, complain, first
from comp.data.index import file_match, group_cells
from comp.data.index.data_tables import read_data_table, tell
from comp.data.index.index import Index
from comp.data.index.tables import Table
from comp.data.labels import labels
from comp.data.labels.bins import bin_names
from comp.tasks.kinds import Task

TEST_IMAGES, TEST_TABLE = "eval/images", "eval/info.csv"
TARGET = ("mask", "gender", "age")
BINS = {"age": (30.0, 60.0)}
LEVELS = {"mask": ("worn", "incorrect", "none"), "gender": ("male", "female")}
PHOTOS = {**{f"mask{n}": "worn" for n in range(1, 6)}, "incorrect_mask": "incorrect"}
PHOTOS["normal"] = "none"
_TABLE, _IMAGES, _FOLDER = "train/train.csv", "train/images", "path"


def lacks(data: DataConfig) -> list[str]:
    """What is missing for training, as complaints."""
    table = Path(data.root) / _TABLE
    out = [] if table.is_file() else [f"the table {table} is missing"]
    return out + file_match.no_folders(Path(data.root) / _IMAGES)


def train(data: DataConfig, task: Task) -> Index:
    """A row for each photo, grouped by person. Raises DataError with all that is wrong."""
    data = _with_defaults(data)
    people = read_data_table(Path(data.root) / _TABLE, data, headless=True)
    tell(people)
    group = data.group or data.id
    lost = [people.no_column(name) for name in (_FOLDER, group) if name not in people.values]
    complain(DataError, f"{people.path}: not a table of training images:", lost)
    listing = file_match.list_files(Path(data.root) / _IMAGES, Path(data.root))
    photos, paths, complaints = _photos(people, listing)
    read = labels.read_labels(photos, data, task, _classes(data))
    ids = photos.values["photo"]
    groups, ungrouped = group_cells.read_groups(photos.values[group], ids, photos.lines, data)
    complaints += [*read.complaints, *ungrouped]
    complain(DataError, f"{people.path}: not a table of training images:", complaints, shown=30)
    return file_match.build_index(ids, paths, read.classes, read.target, groups)


def _with_defaults(data: DataConfig) -> DataConfig:
    target = data.target or TARGET
    bins = {name: edges for name, edges in {**BINS, **data.bins}.items() if name in target}
    bins |= data.bins
    return data.model_copy(update={"target": target, "bins": bins})


def _classes(data: DataConfig) -> tuple[str, ...] | None:
    """The classes in the competition's order, where all the columns are known; else None."""
    known = {**LEVELS, **{name: bin_names(edges) for name, edges in data.bins.items()}}
    if data.classes or not set(data.target) <= set(known):
        return None
    return tuple(JOINT.join(cells) for cells in itertools.product(*(known[n] for n in data.target)))


def _photos(people: Table, listing: file_match.Listing) -> tuple[Table, list[Path], list[str]]:
    """The table with a row per photo instead of per person, the files, and complaints."""
    folders: dict[str, list[tuple[str, Path]]] = {}
    for name, path in listing.images:
        folders.setdefault(str(PurePosixPath(name).parent), []).append((name, path))
    rows, ids, masks, paths = list[int](), list[str](), list[str](), list[Path]()
    missing, strange = [], []
    for row, folder in enumerate(people.values[_FOLDER]):
        found = folders.pop(file_match.nfc(folder), [])
        missing += [] if found else [folder]
        for name, path in found:
            mask = PHOTOS.get(path.stem)
            strange += [] if mask else [name]
            rows.append(row)
            paths.append(path)
            ids.append(name)
            masks.append(mask or "")
    table = _photo_rows(people, rows, {"photo": ids, "mask": masks})
    return table, paths, _complaints(people, listing, missing, strange, list(folders))


def _photo_rows(people: Table, rows: Sequence[int], more: dict[str, list[str]]) -> Table:
    frame = people.frame.iloc[list(rows)].reset_index(drop=True)
    lines = tuple(people.lines[row] for row in rows)
    return replace(people, frame=frame, lines=lines).but(**more)


def _complaints(
    people: Table,
    listing: file_match.Listing,
    missing: Sequence[str],
    strange: Sequence[str],
    left: Sequence[str],
) -> list[str]:
    out = []
    repeated = file_match.repeated_rows(people.values[_FOLDER], people.lines)
    if missing and not repeated:
        out.append(f"{len(missing)} people have no photos in {listing.folder}: {first(missing)}")
    if strange:
        out.append(f"photos of another name than {first(PHOTOS, 7)}: {first(strange)}")
    if left:
        out.append(f"photos in {listing.folder} of nobody in the table: {first(left)}")
    return out + repeated
