"""Findings about classes and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from comp.check.findings import Finding
from comp.core.errors import first
from comp.data.index.index import Index

_RARE = 5  # images of a class, below which folds cannot all have one


def label_findings(index: Index, folds: int) -> Iterator[Finding]:
    """Rare classes, class names that are nearly equal, labels that say nothing or the same."""
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
    for name in index.classes:
        spellings.setdefault(" ".join(name.casefold().split()), []).append(name)
    for names in spellings.values():
        if len(names) > 1:
            text = f"class names that differ only in case or spaces: {first(names)}"
            yield Finding("warning", text)


def _absent(index: Index) -> Iterator[Finding]:
    for name, count in zip(index.classes, index.cells.sum(axis=0), strict=True):
        if count == 0:
            yield Finding("warning", f"no image has the label {name!r}")


def _everywhere(index: Index) -> Iterator[Finding]:
    for name, count in zip(index.classes, index.cells.sum(axis=0), strict=True):
        if count == len(index):
            yield Finding("warning", f"every image has the label {name!r}")


def _equal(index: Index) -> Iterator[Finding]:
    cells = index.cells
    same = [
        f"{index.classes[a]} = {index.classes[b]}"
        for b in range(cells.shape[1])
        for a in range(b)
        if cells[:, a].any() and (cells[:, a] == cells[:, b]).all()
    ]
    if same:
        yield Finding("warning", f"labels that always occur together: {first(same)}")


def _unlabelled(index: Index) -> Iterator[Finding]:
    yield from _empty(index, "have no label")


def _unmarked(index: Index) -> Iterator[Finding]:
    yield from _empty(index, "have an empty mask")


def _empty(index: Index, what: str) -> Iterator[Finding]:
    none = tuple(n for n, row in zip(index.ids, index.cells, strict=True) if not row.any())
    if none:
        yield Finding("note", f"{len(none)} training images {what}: {first(none, 3)}", none)


Check = Callable[[Index], Iterator[Finding]]
_OF_COLUMNS: tuple[Check, ...] = (_absent, _everywhere, _equal, _unlabelled)
# In every image, or always together: for pixels it is still open where
_OF_MASKS: tuple[Check, ...] = (_absent, _unmarked)
