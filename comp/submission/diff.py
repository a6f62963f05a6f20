"""How two submissions differ: labels from class to class, probabilities by their distance, masks
by Dice."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClassDiff:
    """One class in two submissions of masks, counted in images.

    `both`     the class is in both; in `changed` of these its pixels are not the same
    `first`    it is only in the first; `second`: only in the second
    `dice`     the mean Dice over the images in which it is in one or both
    """

    both: int
    changed: int
    first: int
    second: int
    dice: float


@dataclass(frozen=True)
class Diff:
    """Two submissions of the same ids.

    `rows`     how many ids are compared; of masks: images with a mask in one of them
    `ids`      those that differ, in the order of the first file; of masks: the lowest Dice first
    `changes`  (column, cell in the first, cell in the second) -> rows, the most frequent first
    `numbers`  column -> (mean, largest) absolute difference, for columns of numbers that are not
               only 0 and 1; such columns are not in `changes`
    `classes`  of masks: class -> its differences
    `dice`     of masks: id that differs -> Dice of all its classes together
    """

    rows: int
    ids: tuple[str, ...]
    changes: dict[tuple[str, str, str], int] = field(default_factory=dict)
    numbers: dict[str, tuple[float, float]] = field(default_factory=dict)
    classes: dict[str, ClassDiff] = field(default_factory=dict)
    dice: dict[str, float] = field(default_factory=dict)
