"""Files that are tables, or may hold one, which a guess does not use: each with the reason."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from comp.core.errors import first
from comp.scaffold.folder import Folder, Guess, is_test

_MANY = 3  # files of one folder and one reason that are named one by one


def left_out(place: Folder, found: Guess | None) -> list[str]:
    """A line for each file that the guess does not use; many of a kind in one line.

    found: None where nothing was recognised.
    """
    used = _used(found.data) if found else set()
    reasons = {
        **{name: _why(place, name, found) for name in place.tables},
        **place.others,
    }
    kinds: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name, reason in sorted(reasons.items()):
        if name not in used:
            folder, _, file = name.rpartition("/")
            kinds[folder, file.rpartition(".")[2], reason].append(name)
    out = []
    for (_, _, reason), names in kinds.items():
        if len(names) > _MANY:
            out.append(f"{len(names)} files such as {names[0]}: {reason}")
        else:
            out += [f"{name}: {reason}" for name in names]
    return out


def _used(data: dict[str, Any]) -> set[str]:
    listed = [v for value in data.values() for v in (value if isinstance(value, list) else [value])]
    own = {
        "profiles": {"train/train.csv", "eval/info.csv"},
        "defects": {"test/sample_submission.csv"},
    }
    return {v for v in listed if isinstance(v, str)} | own.get(str(data.get("layout")), set())


def _why(place: Folder, name: str, found: Guess | None) -> str:
    """Why a table that can be read is not used."""
    table, taken = place.tables[name], (found.data if found else {})
    if len(table) < 2 or len(table.columns) < 2:
        return f"{len(table)} rows and {len(table.columns)} columns; ids and labels are looked for"
    if is_test(name):
        return "called after a test or validation part, so its labels are not trained on"
    if any(word in name.lower() for word in ("sample", "submission")):
        sample = taken.get("sample_submission")
        return f"{sample} was taken as the sample" if sample else "called after a submission"
    if found and taken["layout"] != "csv":
        return f"layout {taken['layout']} was recognised first, which does not read it"
    column, share = place.best_column(name)
    if share <= 0.3:
        return (
            f"no column names the images: {share:.0%} of {column!r} do, such as "
            f"{first(table.values[column], 2)}"
        )
    return f"{taken['train_csv']} was taken" if found else f"its column {column!r} names images"
