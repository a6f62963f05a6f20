"""Findings about classes and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import yaml

from comp.check.findings import Finding
from comp.check.number_findings import number_findings
from comp.core.errors import first
from comp.data.index.index import Index
from comp.tasks.counts import UNKNOWN

_SHOWN = 6
_RARE = 5  # images of a class, below which folds cannot all have one


def label_findings(index: Index, folds: int) -> Iterator[Finding]:
    """Rare classes, class names that are nearly equal, labels that say nothing or the same; of
    numbers see `number_findings`."""
    if index.measured:
        yield from number_findings(index)
        return
    counts = index.cells.sum(axis=0)
    rare = [
        f"{n} ({c})" for n, c in zip(index.classes, counts, strict=True) if c < max(_RARE, folds)
    ]
    if rare:
        yield Finding("warning", f"classes with few images for {folds} folds: {first(rare)}")
    yield from _similar_names(index)
    if index.labels.ndim == 2:
        for check in _OF_COLUMNS if index.masks is None else _OF_MASKS:
            yield from check(index)


def _similar_names(index: Index) -> Iterator[Finding]:
    spellings: dict[str, list[str]] = {}
    counts = dict(zip(index.classes, index.cells.sum(axis=0).tolist(), strict=True))
    for name in index.classes:
        spellings.setdefault(" ".join(name.casefold().split()), []).append(name)
    for names in spellings.values():
        if len(names) > 1:
            yield Finding(
                "warning",
                f"class names that differ only in case or spaces: {first(names)}. If they are one "
                f"class: data.rename: {_rename(names, counts)}",
            )


def _rename(names: list[str], counts: dict[str, int]) -> str:
    """The spellings and the one that most images have, as YAML on a line; of equal ones the one
    with fewer spaces, then the one in small letters."""
    kept = max(names, key=lambda name: (counts[name], -len(name), name.islower()))
    rest = {name: kept for name in names if name != kept}
    return yaml.safe_dump(rest, default_flow_style=True, allow_unicode=True, width=100_000).strip()


def _absent(index: Index) -> Iterator[Finding]:
    for name, count in zip(index.classes, index.cells.sum(axis=0), strict=True):
        if count == 0:
            yield Finding("warning", f"no image has the label {name!r}")


def _everywhere(index: Index) -> Iterator[Finding]:
    counts = index.cells.sum(axis=0), len(index) - index.unknown
    for name, count, known in zip(index.classes, *counts, strict=True):
        if count == known and count:
            yield Finding("warning", f"every image has the label {name!r}")


def _equal(index: Index) -> Iterator[Finding]:
    cells = index.labels
    same = [
        f"{index.classes[a]} = {index.classes[b]}"
        for b in range(cells.shape[1])
        for a in range(b)
        if (cells[:, a] > 0).any() and (cells[:, a] == cells[:, b]).all()
    ]
    if same:
        yield Finding("warning", f"labels that always occur together: {first(same)}")


def _unlabelled(index: Index) -> Iterator[Finding]:
    yield from _empty(index, "have no label")


def _unmarked(index: Index) -> Iterator[Finding]:
    yield from _empty(index, "have an empty mask")


def _empty(index: Index, what: str) -> Iterator[Finding]:
    none = tuple(n for n, row in zip(index.ids, index.labels, strict=True) if not row.any())
    if none:
        yield Finding("note", f"{len(none)} training images {what}: {first(none, 3)}", none)


def _unknown(index: Index) -> Iterator[Finding]:
    """Cells that nobody filled, and images of which nothing is known."""
    if not index.unknown.any():
        return
    counts = [f"{name} {n}" for name, n in zip(index.classes, index.unknown, strict=True) if n]
    more = f" and {len(counts) - _SHOWN} more classes" if len(counts) > _SHOWN else ""
    yield Finding(
        "note",
        f"unknown labels, which cost no loss and no score: {', '.join(counts[:_SHOWN])}{more}, "
        f"of {len(index)} images",
    )
    bare = (index.labels == UNKNOWN).all(axis=1)
    if bare.any():
        ids = tuple(name for name, row in zip(index.ids, bare, strict=True) if row)
        text = f"{len(ids)} training images of which no label is known: {first(ids, 3)}"
        yield Finding("warning", text, ids)


Check = Callable[[Index], Iterator[Finding]]
_OF_COLUMNS: tuple[Check, ...] = (_absent, _everywhere, _equal, _unlabelled, _unknown)
# In every image, or always together: for pixels it is still open where
_OF_MASKS: tuple[Check, ...] = (_absent, _unmarked)
