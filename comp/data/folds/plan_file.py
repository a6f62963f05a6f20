"""The two files of a fold plan.

`<name>.csv` has a row for each id: id, fold, group, labels. `<name>.json` says how the plan was
made, its fingerprint and its balance; it is written last, and makes the plan whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import comp
from comp.core import files
from comp.core.errors import DataError, PlanError, complain, first
from comp.data.folds.plan import ALWAYS, FoldPlan, balance
from comp.data.folds.starts import DEAL
from comp.data.index.index import Index
from comp.data.index.masks import Marked, Masks
from comp.data.index.tables import Table, read_table, table_text
from comp.data.labels.columns import number_of
from comp.tasks.counts import UNKNOWN

_KEYS = ("id", "fold", "group")  # the first columns; the labels follow
_MARK = "mask"  # the last column, where there are masks: a digest of each
_BAG = "bag"  # in the place of it: which images a bag holds
_UNSAID = ""  # of numbers: what nobody said, NaN
_LEARNED = "learned"  # the last column, where there are shares or weights: a digest of each row's


def save_plan(
    plan: FoldPlan, index: Index, csv_path: Path, json_path: Path, *, replace: bool
) -> bool:
    """Write the plan of an index; False when it is there already, and nothing was written.

    Raises PlanError when another plan is there, unless `replace`.
    """
    text, about = _csv_text(plan, index), _about(plan, index)
    same_rows = csv_path.is_file() and csv_path.read_bytes() == text.encode()
    if same_rows and json_path.is_file() and _same(_peek(json_path), about):
        return False
    if not (replace or same_rows) and (csv_path.exists() or json_path.exists()):
        raise PlanError(
            f"{csv_path}: another plan is there ({_describe(_peek(json_path))}), not this one "
            f"({_describe(about)}). What was trained on it needs it. Keep it, or replace it with "
            "`comp folds make --replace`"
        )
    if not same_rows:
        json_path.unlink(missing_ok=True)  # else a crash would leave new rows with an old manifest
        files.write_text(csv_path, text)
    files.write_json(json_path, about)
    return True


def _peek(json_path: Path) -> dict[str, Any]:
    try:
        return files.read_json(json_path, PlanError)
    except PlanError:
        return {}


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two manifests say the same; the version of the program may differ."""
    younger = {"leak": [], "extended": 0, "comp": None}  # keys that older files lack
    return {**younger, **old, "comp": None} == {**younger, **new, "comp": None}


def _describe(about: dict[str, Any]) -> str:
    if not about.get("fingerprint"):
        return "its .json is missing or damaged"
    made = f"{about.get('count')} folds, {about.get('scheme')}, seed {about.get('seed')}"
    return f"{made}, {about.get('rows')} ids, {str(about['fingerprint'])[:8]}"


def _about(plan: FoldPlan, index: Index) -> dict[str, Any]:
    return {
        "comp": comp.__version__,
        "scheme": plan.scheme,
        "seed": plan.seed,
        "count": plan.count,
        "rows": len(plan.ids),
        "classes": list(plan.classes),
        "labels": "numbers" if index.measured else "one" if index.labels.ndim == 1 else "each",
        "grouped": plan.groups is not None,
        **({"bags" if index.bags is not None else "masks": True} if plan.marks else {}),
        **({"learned": True} if plan.learned else {}),
        "fingerprint": plan.fingerprint,
        "index_fingerprint": plan.index_fingerprint,
        "balance": balance(plan, index).plain(),
        "warnings": list(plan.warnings),
        "leak": list(plan.leak),
        "extended": plan.extended,
        **({"start": plan.start} if plan.start != DEAL else {}),
    }


def _csv_text(plan: FoldPlan, index: Index) -> str:
    target = index.labels
    names = ["label"] if target.ndim == 1 else _column_names(plan.classes)
    labels = [[text] for text in plan.labels] if target.ndim == 1 else target.tolist()
    groups = plan.groups or ("",) * len(plan.ids)
    mark = _BAG if index.bags is not None else _MARK
    names = [*names, *([mark] if plan.marks else []), *([_LEARNED] if plan.learned else [])]
    digests = [column for column in (plan.marks, plan.learned) if column]
    marks = [*zip(*digests, strict=True)] or [()] * len(plan.ids)
    rows = zip(plan.ids, plan.fold.tolist(), groups, labels, marks, strict=True)
    return table_text(
        [*_KEYS, *names],
        [[name, fold, group, *cells, *mark] for name, fold, group, cells, mark in rows],
    )


def _column_names(classes: Sequence[str]) -> list[str]:
    """The classes, in other words where they are called like a column that is there already."""
    taken, out = {*_KEYS, *classes}, []
    for name in classes:
        column = name
        while column in (*_KEYS, _MARK, _BAG, _LEARNED) or (column != name and column in taken):
            column = f"class {column}"
        taken.add(column)
        out.append(column)
    return out


def load_plan(csv_path: Path, json_path: Path) -> FoldPlan:
    """The plan in two files.

    Raises PlanError when there is none, and when the files were changed by hand: not a partition,
    a fold out of range or empty, a group in two folds, another fingerprint; with the line where
    there is one.
    """
    for path in (json_path, csv_path):
        if not path.is_file():
            raise PlanError(f"{path}: no fold plan there; make it with `comp folds make`")
    about = files.read_json(json_path, PlanError)
    try:
        table = read_table(csv_path)
    except DataError as problem:
        raise PlanError(f"{problem}\n{_MEND}") from problem
    try:
        return _restore(table, about, csv_path)
    except (KeyError, TypeError, ValueError) as problem:
        raise PlanError(f"{json_path}: not the manifest of a plan ({problem!r}). {_MEND}") from None


_CELLS: dict[str, type] = {"one": np.int64, "each": np.int64, "numbers": np.float64}
_MEND = "Restore the plan as it was written, or make it again with `comp folds make --replace`"


def _restore(table: Table, about: dict[str, Any], path: Path) -> FoldPlan:
    classes, count, kind = tuple(about["classes"]), int(about["count"]), about["labels"]
    each = kind != "one"
    names = (*_KEYS, *(_column_names(classes) if each else ["label"]))
    mark = _MARK if about.get("masks") else _BAG if about.get("bags") else None
    names = (*names, mark) if mark else names
    if about.get("learned"):
        names = (*names, _LEARNED)
    if table.columns != names:
        _refuse(path, [f"its columns are {first(table.columns, 9)}, not {first(names, 9)}"])
    leak = tuple(map(str, about.get("leak", ())))
    wrong = [*_wrong_rows(table, count), *([] if leak else _divided_groups(table))]
    labels = [name for name in names[3:] if name not in (mark, _LEARNED)]
    _refuse(path, [*wrong, *_wrong_labels(table, labels, classes, kind)])
    order = sorted(range(len(table)), key=table.values["id"].__getitem__)
    columns = labels if each else []
    index = _as_index(table, order, classes, columns, about["grouped"], _CELLS[kind], mark)
    plan = FoldPlan(
        ids=index.ids,
        fold=np.array([int(table.values["fold"][row]) for row in order], dtype=np.int64),
        count=count,
        scheme=str(about["scheme"]),
        seed=int(about["seed"]),
        index_fingerprint=str(about["index_fingerprint"]),
        classes=classes,
        labels=tuple(index.label_texts()),
        groups=index.groups,
        marks=index.marks,
        learned=index.learned,
        warnings=tuple(about["warnings"]),
        path=path,
        leak=leak,
        extended=int(about.get("extended", 0)),
        start=str(about.get("start", DEAL)),
    )
    _refuse(path, _wrong_sums(plan, index, about))
    return plan


def _refuse(path: Path, complaints: Sequence[str]) -> None:
    if complaints:
        complain(PlanError, f"{path}: changed since it was written:", [*complaints[:9], _MEND])


def _wrong_rows(table: Table, count: int) -> list[str]:
    """Ids that are repeated, folds that cannot be or are missing."""
    out = []
    line_of: dict[str, int] = {}
    folds = {str(number) for number in range(count)}
    for name, fold, line in zip(table.values["id"], table.values["fold"], table.lines, strict=True):
        if line_of.setdefault(name, line) != line:
            out.append(f"line {line}: the id {name!r} stands on line {line_of[name]} too")
        if fold not in folds and fold != str(ALWAYS):
            out.append(f"line {line}: the fold {fold!r} of {name!r} is none of 0..{count - 1}")
    empty = sorted(folds - {*table.values["fold"]})
    return [*out, *([f"no id is in fold {', '.join(empty)}"] if empty else [])]


def _divided_groups(table: Table) -> list[str]:
    """Groups in more than one fold."""
    out = []
    home: dict[str, tuple[str, int]] = {}
    for fold, group, line in zip(
        table.values["fold"], table.values["group"], table.lines, strict=True
    ):
        there, before = home.setdefault(group, (fold, line))
        if group and there != fold:
            out.append(
                f"line {line}: the group {group!r} is in fold {fold}, on line {before} in {there}"
            )
    return out


def _wrong_labels(
    table: Table, columns: Sequence[str], classes: Sequence[str], kind: str
) -> list[str]:
    if kind == "numbers":
        return [
            f"line {line}: {cell!r} in column {column!r} is no number"
            for column in columns
            for cell, line in zip(table.values[column], table.lines, strict=True)
            if number_of(cell) is None and cell != _UNSAID
        ]
    allowed = {"0", "1", str(UNKNOWN)} if kind == "each" else {*classes}
    return [
        f"line {line}: {cell!r} in column {column!r} is none of {first(sorted(allowed), 12)}"
        for column in columns
        if not allowed.issuperset(table.values[column])
        for cell, line in zip(table.values[column], table.lines, strict=True)
        if cell not in allowed
    ]


def _as_index(
    table: Table,
    order: list[int],
    classes: tuple[str, ...],
    columns: Sequence[str],
    grouped: bool,
    dtype: type,
    mark: str | None,
) -> Index:
    """The index that a plan was made from, without its files. columns: those of 0/1 labels, or of
    numbers. mark: that of what masks or bags hold."""
    if columns:
        unsaid = "nan" if dtype is np.float64 else _UNSAID
        cells = np.array([[c or unsaid for c in table.values[name]] for name in columns])
        target: np.ndarray[Any, Any] = cells.astype(dtype).T
    else:
        place = {name: number for number, name in enumerate(classes)}
        target = np.array([place[text] for text in table.values["label"]], dtype=np.int64)
    groups = tuple(table.values["group"][row] for row in order) if grouped else None
    ids = tuple(table.values["id"][row] for row in order)
    paths = tuple(Path(name) for name in ids)
    truth = None
    if mark is not None:
        truth = Masks([Marked(table.values[mark][row]) for row in order], 1)
    marks = None
    if _LEARNED in table.values and _LEARNED not in columns:
        marks = tuple(table.values[_LEARNED][row] for row in order)
    return Index(ids, paths, classes, target[order], groups, masks=truth, learned_marks=marks)


def _wrong_sums(plan: FoldPlan, index: Index, about: dict[str, Any]) -> list[str]:
    """What differs from the manifest, with the folds whose sizes changed."""
    out = []
    if index.fingerprint != plan.index_fingerprint:
        out.append(
            f"ids, labels or groups are not those that it was made from "
            f"({plan.index_fingerprint[:8]}, now {index.fingerprint[:8]})"
        )
    if plan.fingerprint != about["fingerprint"]:
        out.append(
            f"an id is in another fold, or gone "
            f"({str(about['fingerprint'])[:8]}, now {plan.fingerprint[:8]})"
        )
    rows = balance(plan, index).plain()["rows"]
    for fold, (now, then) in enumerate(zip(rows, about["balance"]["rows"], strict=True)):
        if out and now != then:
            out.append(f"fold {fold} has {now} ids where the manifest says {then}")
    return out
