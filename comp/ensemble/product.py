"""One joint class from separate models of its attributes: mask x gender x age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.config.schema import JOINT
from comp.core.errors import ConfigError, first
from comp.ensemble.prior import both_columns
from comp.inference.predictions import Predictions

Array = np.ndarray[Any, Any]


def check_attributes(classes: Sequence[str], attributes: Sequence[Sequence[str]]) -> None:
    """Raise ConfigError where joint `classes` are not made of the values of these attributes."""
    split = [name.split(JOINT) for name in classes]
    wrong = [
        name for name, parts in zip(classes, split, strict=True) if len(parts) != len(attributes)
    ]
    if wrong:
        raise ConfigError(
            f"ensemble.combine: product: the class {wrong[0]!r} is not joined from "
            f"{len(attributes)} attributes by {JOINT!r}; give one run for each of data.target"
        )
    for place, values in enumerate(attributes):
        needed = sorted({parts[place] for parts in split})
        missing = [value for value in needed if value not in values]
        if missing:
            raise ConfigError(
                f"ensemble.combine: product: attribute {place + 1} of the classes is "
                f"{first(needed)}, but run {place + 1} predicts {first(values)}; give --runs in "
                "the order of data.target"
            )


def product(
    parts: Sequence[Predictions], classes: tuple[str, ...], source: dict[str, Any]
) -> Predictions:
    """Probabilities of joint classes: the product over the attributes, normalized over `classes`.

    parts: one for each attribute, with rows of the same ids in the same order. A combination that
    is no class gets nothing; where no class is left any probability, all get the same.
    """
    tables = [both_columns(np.asarray(part.probs, dtype=np.float64)) for part in parts]
    probs = np.ones((len(parts[0].ids), len(classes)))
    for column, name in enumerate(classes):
        for table, part, value in zip(tables, parts, name.split(JOINT), strict=True):
            probs[:, column] *= table[:, part.classes.index(value)]
    total = probs.sum(axis=1, keepdims=True)
    even = np.full_like(probs, 1 / len(classes))
    probs = np.divide(probs, total, out=even, where=total > 0)
    return Predictions(parts[0].ids, probs.astype(np.float32), classes, "softmax", source)
