"""Folds that were decided elsewhere: in a column of the table, or by nnU-Net."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import DataConfig
from comp.core.errors import DataError, PlanError, complain, first, unreadable
from comp.data.folds.plan import ALWAYS, FoldPlan
from comp.data.index.data_tables import read_data_table
from comp.data.index.image_files import stem_of
from comp.data.index.index import Index
from comp.data.labels.long_rows import image_of

Array = np.ndarray[Any, Any]

_ONLY_TRAIN = {"-1", ""}  # in a column of folds


def column_folds(data: DataConfig, index: Index) -> tuple[Array, tuple[str, ...]]:
    """The folds that the column `data.fold` of the training table gives: (N,) in the order of the
    index, numbered in the order of the column's values; and these values.

    -1 and an empty cell are ids that are only trained on. Raises DataError without such a column
    and for fewer than two folds.
    """
    path = Path(data.root) / data.train_csv
    if not path.is_file():
        raise DataError(f"data.fold: {data.fold!r}: there is no table {path} to read it from")
    table = read_data_table(path, data, headless=True)
    for key, name in (("id", data.id), ("fold", str(data.fold))):
        if name not in table.values:
            raise DataError(f"{path}: data.{key}: {table.no_column(name)}")
    known = {*index.ids, *index.images.ids}
    images = [image_of(name, data, known.__contains__) for name in table.values[data.id]]
    cell = dict(zip(images, table.values[str(data.fold)], strict=True))
    cells = [cell[name].strip() for name in _rows_of(index, cell, str(data.fold))]
    values = tuple(sorted({*cells} - _ONLY_TRAIN, key=_natural))
    if not values or len(values) > max(2, len(index) // 2):
        raise DataError(
            f"{path}: data.fold: {data.fold!r} has {len(values)} values ({first(values)}) for "
            f"{len(index)} images; it must hold few values, one per fold"
        )
    number = {value: place for place, value in enumerate(values)}
    return np.array([number.get(text, ALWAYS) for text in cells], dtype=np.int64), values


def _rows_of(index: Index, cell: dict[str, str], fold: str) -> list[str]:
    """For each row of the index the id whose cell counts: its own, or of a bag that of its first
    image. Raises DataError for a bag in several folds."""
    if index.bags is None:
        return [*index.ids]
    out, torn = list[str](), list[str]()
    for name, own in zip(index.ids, index.bags.names(), strict=True):
        named = [name] if name in cell else own
        if len({cell[image].strip() for image in named}) > 1:
            torn.append(name)
        out.append(named[0])
    if torn:
        raise DataError(
            f"data.fold: {fold!r} puts images of one bag (data.bag) into several folds: "
            f"{first(torn)}"
        )
    return out


def _natural(text: str) -> tuple[bool, int, str]:
    """Whole numbers in their order, then texts."""
    whole = text.isdecimal()
    return not whole, int(text) if whole else 0, text


def read_splits(path: Path, index: Index) -> tuple[Array, int]:
    """The folds in a `splits_final.json` of nnU-Net, (N,) in the order of the index, and how many.

    Ids may lack the extension that ours have. Ids that no fold validates on are `ALWAYS`. Raises
    PlanError for unknown or missing ids, for ids in two validation parts, and where a fold does
    not train on all that it does not validate on: such a plan cannot be kept here.
    """
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
        parts = [([*map(str, each["train"])], [*map(str, each["val"])]) for each in splits]
    except OSError as problem:
        raise PlanError(f"{path}: {unreadable(problem)}") from problem
    except (ValueError, TypeError, KeyError) as problem:
        raise PlanError(
            f"{path}: not nnU-Net's splits: a JSON list with `train` and `val` ids for each fold "
            f"is expected ({problem!r})"
        ) from problem
    row = _rows_by_name(index)
    everything = {name for train, val in parts for name in (*train, *val)}
    unknown = sorted(everything - {*row})
    unnamed = sorted({*range(len(index))} - {row[name] for name in everything if name in row})
    wrong = [f"{len(unknown)} ids that the data lacks: {first(unknown)}"] if unknown else []
    if unnamed:
        lost = first(index.ids[place] for place in unnamed)
        wrong.append(f"{len(unnamed)} ids of the data are in no fold: {lost}")
    complain(PlanError, f"{path}: made for other data:", wrong)
    fold = np.full(len(index), ALWAYS, dtype=np.int64)
    for number, (train, val) in enumerate(parts):
        trained, validated = ({row[name] for name in names} for names in (train, val))
        twice = [index.ids[place] for place in sorted(validated) if fold[place] != ALWAYS]
        left = [index.ids[p] for p in sorted({*range(len(index))} - trained - validated)]
        shared = [index.ids[place] for place in sorted(trained & validated)]
        found = {"validate twice": twice, "are in no part": left, "are in both parts": shared}
        wrong += [f"fold {number}: {first(n)} {what}" for what, n in found.items() if n]
        fold[sorted(validated)] = number
    complain(PlanError, f"{path}: not a partition, which a plan is:", wrong)
    return fold, len(parts)


def _rows_by_name(index: Index) -> dict[str, int]:
    """The row of each id, and of each id without its extension where that is still one image's."""
    row = {name: place for place, name in enumerate(index.ids)}
    bare = [stem_of(name) for name in index.ids]
    once = {name for name in bare if name not in row}
    if len({*bare}) == len(bare):
        row.update({name: place for place, name in enumerate(bare) if name in once})
    return row


def splits_text(plan: FoldPlan) -> str:
    """The plan as nnU-Net's `splits_final.json`; ids without extension, as it calls its cases."""
    bare = [stem_of(name) for name in plan.ids]
    named = bare if len({*bare}) == len(bare) else list(plan.ids)
    of = dict(zip(plan.ids, named, strict=True))

    def names(ids: Iterable[str]) -> list[str]:
        return [of[name] for name in ids]

    splits = [
        {"train": names(plan.train(k)), "val": names(plan.valid(k))} for k in range(plan.count)
    ]
    return json.dumps(splits, indent=4, ensure_ascii=False) + "\n"
