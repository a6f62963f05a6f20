"""The second-level models, each with the strengths among which cross-fitting chooses.

One model for the classes of a softmax, one per column for a sigmoid; unknown cells are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core import rng
from comp.core.errors import ConfigError
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task, one_hot

Array = np.ndarray[Any, Any]

_CLIP = 1e-6


@dataclass(frozen=True)
class Second:
    """One kind of second-level model.

    `what`       what its strength is
    `strengths`  from a simple model to a free one
    `make`       a strength and a seed -> a classifier or a regressor of scikit-learn's form
    """

    what: str
    strengths: tuple[float, ...]
    make: Callable[[float, int], Any]


def _logistic(strength: float, _: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=500)


def _ridge(strength: float, _: int) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1 / strength)


def _mlp(strength: float, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((16,), alpha=1 / strength, solver="lbfgs", max_iter=60, random_state=seed)


def _lightgbm(strength: float, seed: int) -> Any:
    try:
        from lightgbm import LGBMClassifier
    except ImportError as problem:
        raise ConfigError(
            'comp stack: lightgbm is not installed: pip install "comp[stack]", or use another kind'
        ) from problem
    return LGBMClassifier(
        n_estimators=int(strength),
        learning_rate=0.05,
        num_leaves=7,
        min_child_samples=20,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        verbose=-1,
    )


SECONDS = {
    "logistic": Second("C", (0.001, 0.01, 0.1, 1.0), _logistic),
    "ridge": Second("1/alpha", (0.0001, 0.001, 0.01, 0.1), _ridge),
    "mlp": Second("1/alpha", (0.01, 0.1, 1.0), _mlp),
    "lightgbm": Second("trees", (20, 50, 100, 200), _lightgbm),
}


def fit_second(
    second: Second,
    strength: float,
    inputs: Array,
    target: Array,
    task: Task,
    columns: int,
    seed: int,
) -> Callable[[Array], Array]:
    """A function from inputs (n, K) to probabilities (n, columns) float32, fitted on these rows.

    target: (n,) class numbers or (n, C) zeros and ones with UNKNOWN. A class or column of which
    there is one value only has its share.
    """
    seed = rng.derive(seed, "stack") % 2**31
    if task.link.normalized:
        parts = [_one(second.make(strength, seed), inputs, target, columns)]

        def answer(new: Array) -> Array:
            probs = np.clip(parts[0](new), _CLIP, 1)
            return np.asarray(probs / probs.sum(axis=1, keepdims=True), dtype=np.float32)

        return answer
    cells = target.reshape(len(target), -1)
    found = []
    for column in cells.T:
        known = column != UNKNOWN
        found.append(_one(second.make(strength, seed), inputs[known], column[known], 2))
    return lambda new: np.stack([np.clip(part(new)[:, 1], 0, 1) for part in found], axis=1).astype(
        np.float32
    )


def _one(model: Any, inputs: Array, target: Array, classes: int) -> Callable[[Array], Array]:
    there = np.unique(target)
    if len(there) < 2:
        share = np.bincount(target, minlength=classes) / max(1, len(target))
        return lambda new: np.tile(share, (len(new), 1))
    if not hasattr(model, "predict_proba"):
        model.fit(inputs, one_hot(target, classes).astype(float))
        return lambda new: np.clip(model.predict(new), 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a search that is ended early is a simpler model
        model.fit(inputs, target)

    def answer(new: Array) -> Array:
        out = np.zeros((len(new), classes))
        out[:, there] = model.predict_proba(new)
        return out

    return answer
