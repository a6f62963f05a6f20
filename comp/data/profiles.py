"""People photographed with and without a mask; see `comp.data.layouts`.

A table has a row a person (path, gender, age); a folder a person holds photographs whose names say
how the mask is worn. Seven photographs of one person never straddle folds: the group is the person.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from pathlib import Path

from comp.config import DataConfig
from comp.data import labels, match
from comp.data.index import Index
from comp.data.tables import Table, read_table
from comp.errors import DataError, complain, first
from comp.tasks import Task

TABLE, IMAGES, TEST = "train/train.csv", "train/images", "eval/images"
AGE_BINS = (30.0, 60.0)
ATTRIBUTES = ("mask", "gender", "age")
_FIXED = {"mask": ("worn", "incorrect", "none"), "gender": ("male", "female")}
_STATES = (
    (re.compile(r"mask\d*"), "worn"),
    (re.compile(r"incorrect_mask\d*"), "incorrect"),
    (re.compile(r"normal\d*"), "none"),
)


def profiles_lacks(data: DataConfig) -> list[str]:
    """Which of the table and the folder of people are missing, as complaints."""
    table = Path(data.root) / TABLE
    out = [] if table.is_file() else [f"the table {table} is missing"]
    return out + match.no_folders(Path(data.root) / IMAGES)


def profiles_train(data: DataConfig, task: Task) -> Index:
    """All photographs; ids are `<path>/<file>`, groups are the people.

    The class joins the attributes in `data.target` (all three when it is empty), the first one
    slowest: with mask, gender and age, class 7 is incorrect, male, 30-59. All combinations are
    classes, whether anybody has them or not.
    """
    root = Path(data.root)
    table = read_table(root / TABLE)
    chosen = data.target or ATTRIBUTES
    bins = data.bins.get("age", AGE_BINS)
    complaints = _wrong_config(data, task, chosen) + [
        table.no_column(name) for name in ("path", "gender", "age") if name not in table.values
    ]
    complain(DataError, f"{table.path}: not right as profiles:", complaints)
    listing = match.list_files(root / IMAGES, root)
    photos, wrong = _photos(listing)
    people, unclear = _people(table, photos, bins)
    complain(DataError, f"{table.path}: not right as profiles:", [*unclear, *wrong], shown=30)
    values = {**_FIXED, "age": labels.bin_names(bins)}
    parts = itertools.product(*(values[name] for name in chosen))
    classes = tuple(labels.JOINT.join(part) for part in parts)
    ids, paths, texts, groups = list[str](), list[Path](), list[str](), list[str]()
    for person, facts in people.items():
        for name, path, state in photos[person]:
            ids.append(name)
            paths.append(path)
            texts.append(labels.JOINT.join({"mask": state, **facts}[key] for key in chosen))
            groups.append(person)
    read = labels.number(texts, [0] * len(texts), task, known=classes)
    return match.build_index(ids, paths, read.classes, read.target, groups)


def _wrong_config(data: DataConfig, task: Task, chosen: tuple[str, ...]) -> list[str]:
    out = [
        f"data.target: {name!r} is none of the attributes {', '.join(ATTRIBUTES)}"
        for name in chosen
        if name not in ATTRIBUTES
    ]
    if task.target_ndim != 1:
        out.append(f"a photograph has one class; task: {task.name} gives it several")
    elif task.class_limit is not None and tuple(chosen) != ("gender",):
        out.append(f"{first(chosen)} have more classes than task: {task.name}; use multiclass")
    out += [
        f"data.bins: {name!r} holds no numbers here; only age does"
        for name in data.bins
        if name != "age"
    ]
    if data.group is not None:
        out.append("data.group: the group is the person already; leave it null")
    if data.classes:
        out.append("data.classes: they follow from the attributes; leave it out")
    return out


Photo = tuple[str, Path, str]


def _photos(listing: match.Listing) -> tuple[dict[str, list[Photo]], list[str]]:
    """The photographs of each person: id, file and mask state; and the files that tell none."""
    out: dict[str, list[Photo]] = defaultdict(list)
    unknown = []
    for name, path in listing.images:
        person, _, file = name.rpartition("/")
        state = next((s for pattern, s in _STATES if pattern.fullmatch(Path(file).stem)), None)
        if state is None or not person:
            unknown.append(name)
        else:
            out[person].append((name, path, state))
    if not unknown:
        return out, []
    return out, [
        f"{len(unknown)} files are named neither mask, incorrect_mask nor normal, or lie in no "
        f"person's folder: {first(unknown)}"
    ]


def _people(
    table: Table, photos: dict[str, list[Photo]], bins: tuple[float, ...]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Gender and age of each person by path, and complaints."""
    paths = [match.nfc(cell) for cell in table.values["path"]]
    ages, wrong = labels.bin_cells(table.values["age"], bins, "age", table.lines)
    genders = table.values["gender"]
    complaints = [*match.repeated(paths, table.lines), *wrong]
    other = [n for g, n in zip(genders, table.lines, strict=True) if g not in _FIXED["gender"]]
    if other:
        complaints.append(f"{len(other)} rows are neither male nor female: lines {first(other)}")
    bare = [person for person in paths if person not in photos]
    if bare:
        complaints.append(f"{len(bare)} people have no photographs: {first(bare)}")
    strangers = sorted(set(photos) - set(paths))
    if strangers:
        complaints.append(f"{len(strangers)} folders have no row: {first(strangers)}")
    rows = zip(paths, genders, ages, strict=True)
    return {path: {"gender": gender, "age": age} for path, gender, age in rows}, complaints
