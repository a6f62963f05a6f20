"""The index: what images there are and what is known of each, sorted by id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums, files
from comp.core.errors import DataError, first, repeated
from comp.core.known_digests import known_digests
from comp.data.index.masks import Masks
from comp.tasks.counts import UNKNOWN, known_cells, without_unknown
from comp.tasks.kinds import one_hot
from comp.tasks.ranges import ranges_of

NOBODY_SAID = "=?"  # after a class name in the text of a label


@dataclass(frozen=True)
class Index:
    """The images of the training set, or of the test set, in the order of their ids.

    `ids`      (N,) text, sorted, each once
    `paths`    (N,) the image files
    `classes`  the class names; of two, the last is the positive one
    `target`   None for a test set, else int64: (N,) class numbers, or (N, C) zeros and ones, with
               `comp.tasks.counts.UNKNOWN` where nobody said; or float64: (N, C) numbers
    `groups`   None, or (N,) text: what must not straddle folds
    `mask_paths`  None, or (N,) the mask file of each image, None where it has none
    `masks`    None, or the masks of the images, see `comp.data.index.masks`; the target then says
               which classes an image holds, (N, C)
    `shares`   None, or (N, C) float32: what the loss learns in the place of the target
    `boxes`    None, or (N,) the part of each image that is used, see `comp.data.images.crops`
    `weights`  None, or (N,) float64 how much each image counts in scores and losses
    `learned_marks`  None, or (N,) what `learned` says, where a plan knows no more
    `codes`    None, or what a sample submission and the files call each class
    """

    ids: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    target: np.ndarray[Any, Any] | None = None
    groups: tuple[str, ...] | None = None
    mask_paths: tuple[Path | None, ...] | None = None
    masks: Masks | None = None
    codes: tuple[str, ...] | None = None
    shares: np.ndarray[Any, Any] | None = None
    boxes: tuple[tuple[float, float, float, float], ...] | None = None
    weights: np.ndarray[Any, Any] | None = None
    learned_marks: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if list(self.ids) != sorted(self.ids):
            raise DataError("an index must be sorted by id")
        if len(set(self.ids)) != len(self.ids):
            raise DataError(f"repeated ids: {first(repeated(self.ids))}")
        for name in (
            "paths",
            "target",
            "groups",
            "mask_paths",
            "masks",
            "shares",
            "boxes",
            "weights",
        ):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.ids):
                raise DataError(f"{len(self.ids)} ids but {len(value)} {name}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """The target; DataError where there is none."""
        if self.target is None:
            raise DataError("these images have no labels")
        return self.target

    @property
    def measured(self) -> bool:
        """Whether the targets are numbers."""
        return self.target is not None and self.target.dtype.kind == "f"

    @cached_property
    def _ranges(self) -> tuple[tuple[str, ...], np.ndarray[Any, Any]]:
        return ranges_of(self.labels, self.classes)

    @property
    def strata(self) -> tuple[str, ...]:
        """What the columns of `cells` are: the classes, or ranges of the numbers."""
        return self._ranges[0] if self.measured else self.classes

    @property
    def cells(self) -> np.ndarray[Any, Any]:
        """(N, C) int64 zeros and ones: which classes each image is known to have, or in which range
        each of its numbers lies; DataError without labels."""
        labels = self.labels
        if self.measured:
            return self._ranges[1]
        if labels.ndim == 1:
            return one_hot(labels, len(self.classes))
        return without_unknown(labels, known_cells(labels))

    @property
    def unknown(self) -> np.ndarray[Any, Any]:
        """(C,) in how many images nobody said whether they have each class."""
        if self.target is None or self.target.ndim == 1 or self.measured:
            return np.zeros(len(self.strata), dtype=np.int64)
        return np.asarray((self.target == UNKNOWN).sum(axis=0))

    def rows(self, ids: Iterable[str]) -> np.ndarray[Any, Any]:
        """The row numbers of `ids`, in their order; DataError names the ones that are not here."""
        ids = list(ids)
        missing = [name for name in ids if name not in self._place]
        if missing:
            raise DataError(f"{len(missing)} ids are not in the index: {first(missing)}")
        return np.fromiter((self._place[name] for name in ids), dtype=np.int64, count=len(ids))

    def part(self, rows: Iterable[int]) -> Index:
        """The index of some rows, which must be sorted."""
        some = [int(row) for row in rows]

        def cut(values: Sequence[Any] | None) -> Any:
            return None if values is None else tuple(values[row] for row in some)

        return replace(
            self,
            ids=cut(self.ids),
            paths=cut(self.paths),
            target=None if self.target is None else self.target[some],
            groups=cut(self.groups),
            mask_paths=cut(self.mask_paths),
            masks=None if self.masks is None else self.masks.of(some),
            shares=None if self.shares is None else self.shares[some],
            boxes=cut(self.boxes),
            weights=None if self.weights is None else self.weights[some],
            learned_marks=cut(self.learned_marks),
        )

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ids, labels, groups and classes: what a fold plan is made from."""
        return checksums.digest_lines([*self.classes, "", *self.row_texts()])

    def contents(self, cache: Path) -> str:
        """SHA-256 of every id with a digest of its file: changes when an image is replaced, by
        whatever file. The same on every machine. `cache`: see `comp.core.known_digests`."""
        digests = known_digests(self.paths, cache)
        if self.boxes is not None:
            digests = [f"{d}\x1f{b}" for d, b in zip(digests, self.boxes, strict=True)]
        return checksums.digest_lines(map("\x1f".join, zip(self.ids, digests, strict=True)))

    def file_sizes(self) -> str:
        """SHA-256 of every id with the size of its file; up to 0.2.0 this stood for the content."""
        sizes = (files.file_stat(path)[0] for path in self.paths)
        rows = (f"{name}\x1f{size}" for name, size in zip(self.ids, sizes, strict=True))
        return checksums.digest_lines(rows)

    def row_texts(self) -> list[str]:
        """A text for each row: id, group and label."""
        labels = self.label_texts()
        groups = self.groups or ("",) * len(self)
        rows = ["\x1f".join(parts) for parts in zip(self.ids, groups, labels, strict=True)]
        for more in (self.learned, self.marks):
            if more:
                rows = ["\x1f".join(pair) for pair in zip(rows, more, strict=True)]
        return rows

    @cached_property
    def learned(self) -> tuple[str, ...]:
        """(N,) a digest of what is learned of each image beside its label: shares, a weight; ()
        where there is nothing."""
        if self.learned_marks is not None:
            return self.learned_marks
        if self.shares is None and self.weights is None:
            return ()
        shares = [[]] * len(self) if self.shares is None else self.shares.tolist()
        weights = [""] * len(self) if self.weights is None else map(repr, self.weights.tolist())
        pairs = zip(shares, weights, strict=True)
        return tuple(checksums.digest_lines([*map(repr, s), w])[:16] for s, w in pairs)

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """(N,) a digest of each mask; () where there are none."""
        return () if self.masks is None else tuple(map(self.masks.digest, range(len(self))))

    def label_texts(self) -> list[str]:
        """The label of each row as text: a class name, or the names of the classes that it has, and
        `name=?` where nobody said; or its numbers."""
        if self.target is None:
            return [""] * len(self)
        if self.measured:
            return ["|".join(map(repr, row)) for row in self.target.tolist()]
        if self.target.ndim == 1:
            return [self.classes[number] for number in self.target]
        names = [("", name, f"{name}{NOBODY_SAID}") for name in self.classes]
        return [
            "|".join(names[column][row[column]] for column in np.flatnonzero(row))
            for row in self.target
        ]
