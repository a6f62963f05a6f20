"""Guesses about folders of data for classification: tables, folders per class, known layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from comp.config.schema import JOINT, DataConfig
from comp.core.errors import first
from comp.data.index.data_tables import likely_names, looks_like_data, read_data_table
from comp.data.index.tables import Table
from comp.data.labels.columns import one_of_columns
from comp.data.layouts import class_folders
from comp.scaffold import columns
from comp.scaffold.folder import (
    Folder,
    Guess,
    guess_test,
    image_folders,
    is_test,
    sample_table,
    share_of,
)
from comp.scaffold.label_columns import LabelColumns
from comp.scaffold.long_labels import joined_ids
from comp.tasks.starters import kind_of

_SOME = 200  # ids that are looked up
_TRUTHS = {"ground_truth", "groundtruth", "gt"}  # folders of masks, whatever else they are called


def defects(place: Folder) -> Guess | None:
    """Normal and defect images, with masks of the defects."""
    if class_folders.defects_lacks(DataConfig(root=str(place.root))):
        return None
    out = Guess(kind_of("class", 2), {"layout": "defects"})
    other = kind_of("pixels").name
    out.doubt("task", f"normal against defect; task: {other} would use train/defect_masks")
    return out


def profiles(place: Folder) -> Guess | None:
    """A folder of photos per person."""
    table = place.tables.get("train/train.csv")
    if table is None or not {"id", "gender", "age", "path"} <= {*table.columns}:
        return None
    return Guess(kind_of("class"), {"layout": "profiles"})


def csv(place: Folder) -> Guess | None:
    """A table with a column of ids that name images, and columns of labels."""
    sample = sample_table(place)
    others = [name for name in place.tables if name != sample and not is_test(name)]
    ranked = sorted(
        others, key=lambda name: ("train" not in name.lower(), -len(place.tables[name]))
    )
    for name in ranked:
        table = place.tables[name]
        if len(table) < 2 or len(table.columns) < 2:
            continue
        shares = {folder: share_of(place, folder) for folder in image_folders(place)}
        likely = place.tables[sample].columns[:1] if sample else ()
        found = {f: columns.id_column(table, own, likely) for f, own in shares.items()}
        best = max(found, key=lambda f: (found[f][1], "train" in f, -len(f)))
        key, share = found[best]
        if share > 0.3:
            return _from_table(place, name, sample, key, best, share)
    return next((g for n in ranked if (g := _joined_table(place, n, sample)) is not None), None)


def _joined_table(place: Folder, name: str, sample: str | None) -> Guess | None:
    """A table whose ids join an image and a class."""
    table = place.tables[name]
    folders = sorted(image_folders(place), key=lambda f: ("train" not in f, is_test(f), len(f)))
    for folder in folders if len(table) > 1 and len(table.columns) > 1 else ():
        listing = place.listing.within(folder)
        for key in table.columns:
            found = joined_ids(table, key, lambda n, at=listing: bool(at.find(n)))  # type: ignore[misc]
            if found is not None:
                return _of_columns(place, name, sample, key, folder, found)
    return None


def _from_table(
    place: Folder, name: str, sample: str | None, key: str, folder: str, share: float
) -> Guess:
    table, named = place.tables[name], list[str]()
    listing = place.listing.within(folder)
    if looks_like_data(key) and len(listing.find(key)) == 1:
        named = likely_names(table.columns, key)
        data = DataConfig(root=".", columns=tuple(named))
        table, key = read_data_table(table.path, data, headless=True), "id"
    found = columns.label_columns(table, key, place.tables[sample] if sample else None)
    out = _of_columns(place, name, sample, key, folder, found, named, table)
    if share_of(place, folder)([*dict.fromkeys(table.values[key])][:_SOME]) < 1:
        out.doubt("id", "not every cell names exactly one image")
    return out


def _of_columns(
    place: Folder,
    name: str,
    sample: str | None,
    key: str,
    folder: str,
    found: LabelColumns,
    named: Sequence[str] = (),
    table: Table | None = None,
) -> Guess:
    """The guess about a table whose label columns are known. table: with the names `named`, where
    the file has no header."""
    table = place.tables[name] if table is None else table
    group, doubt = columns.group_column(table, [key, *found.columns, *found.keys.values()])
    out = Guess(found.task, {"layout": "csv", "train_csv": name, "id": key})
    if named:
        out.data["columns"] = list(named)
        out.doubt("columns", "its first line is a row; these names are made up")
    out.data["target"] = found.columns[0] if len(found.columns) == 1 else list(found.columns)
    if found.separator is not None:
        out.data["separator"] = found.separator
    out.data |= {**found.keys, "group": group, "train_images": folder}
    for text in found.doubts:
        out.doubt(next(iter(found.keys), "target"), text)
    out.doubt("group", doubt)
    if found.task.target_kind == "class":
        _note_classes(out, _class_counts(table, found))
    guess_test(out, place, sample)
    return out


def _class_counts(table: Table, found: LabelColumns) -> Counter[str]:
    cells = {name: table.values[name] for name in found.columns}
    if len(cells) < 2:
        return Counter(*cells.values())
    place = one_of_columns(cells, DataConfig(root=".", soft=found.keys.get("soft", "refuse")))
    if place.number is None:
        return Counter(JOINT.join(row) for row in zip(*cells.values(), strict=True))
    return Counter(found.columns[number] for number in place.number)


def _note_classes(out: Guess, counts: Counter[str]) -> None:
    largest = ", ".join(f"{name} {count}" for name, count in counts.most_common(12))
    out.notes.append(f"{len(counts)} classes: {largest}" + (" ..." if len(counts) > 12 else ""))


def folders(place: Folder) -> Guess | None:
    """One folder per class: the folder with the most images in several folders below it."""
    below: dict[str, Counter[str]] = {}
    for folder, count in place.images.items():
        parts = [] if folder == "." else folder.split("/")
        for depth in range(len(parts)):
            above = "/".join(parts[:depth]) or "."
            below.setdefault(above, Counter())[parts[depth]] += count
    split_names = {"train", "test", "valid", "val", "training", "testing", "validation", "images"}
    able = {
        name: counts
        for name, counts in below.items()
        if len(counts) > 1
        and not {c.lower() for c in counts} & split_names
        and not is_test(name)
        and not {*name.lower().split("/")} & _TRUTHS
    }
    if not able:
        return None
    best = min(able, key=lambda n: ("train" not in n.lower(), n.count("/"), -able[n].total(), n))
    task = kind_of("class", len(able[best]))
    out = Guess(task, {"layout": "folders", "train_images": best})
    _note_classes(out, able[best])
    deep = [f for f in place.images if f.startswith("" if best == "." else f"{best}/")]
    if any(f.removeprefix(f"{best}/").count("/") for f in deep):
        out.doubt("train_images", "there are folders inside folders: the outermost are the classes")
    others = [name for name in able if name != best]
    if others:
        out.doubt("train_images", f"or {first(others, 3)}")
    guess_test(out, place, sample_table(place))
    return out


def names(place: Folder) -> Guess | None:
    """Labels in the names of the images of one folder: `cat.0.png`, `dog_12.png`."""
    by_folder: dict[str, list[str]] = {}
    for name, _ in place.listing.images:
        folder, _, file = name.rpartition("/")
        by_folder.setdefault(folder or ".", []).append(file)
    able = {
        folder: pattern
        for folder, files in by_folder.items()
        if not is_test(folder) and (pattern := class_folders.likely_pattern(files)) is not None
    }
    if not able:
        return None
    best = min(able, key=lambda f: ("train" not in f.lower(), -len(by_folder[f]), f))
    counts = Counter(class_folders.labels_in(by_folder[best], able[best]))
    out = Guess(kind_of("class", len(counts)), {"layout": "names", "train_images": best})
    out.data["label_from_name"] = able[best]
    out.doubt("label_from_name", f"the labels are in the names of the files: {first([*counts], 3)}")
    _note_classes(out, counts)
    guess_test(out, place, sample_table(place))
    return out
