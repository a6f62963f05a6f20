"""Another class prior in the test set than in training: known, or estimated from predictions.

M. Saerens, P. Latinne, C. Decaestecker, Adjusting the outputs of a classifier to new a priori
probabilities, Neural Computation 14 (2002). It holds where only the class prior differs: the images
of each class look the same in the test set as in training.

The estimate takes probabilities at their word, so they are calibrated on the out-of-fold rows
before: A. Alexandari, A. Kundaje, A. Shrikumar, Maximum likelihood with bias-corrected calibration
is hard-to-beat at label shift adaptation, ICML 2020. A network that is sure of one class in three
would otherwise leave classes empty that do occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import ConfigError, first
from comp.tasks.kinds import Task, one_hot

Array = np.ndarray[Any, Any]

_ROUNDS = 500
_STILL = 1e-6  # a round that moves no share by more than this is the last
_TINY = 1e-6  # smaller probabilities count as this
_LEAST = 1e-4  # share of a class: the estimate never rules a class out


@dataclass(frozen=True)
class Shift:
    """From the class prior of the training set to that of the test set.

    `before, after`  (classes,) shares that sum to 1
    `estimated`      whether `after` was estimated
    """

    before: Array
    after: Array
    estimated: bool

    @property
    def class_weights(self) -> Array:
        """(classes,): how much a training row of each class counts for the test set."""
        return np.asarray(self.after / self.before)

    def adjust(self, probs: Array) -> Array:
        """Probabilities (N, C) for the new class prior, by Bayes; binary ones keep C = 1."""
        full = both_columns(np.asarray(probs, dtype=np.float64)) * self.class_weights
        full /= full.sum(axis=1, keepdims=True)
        return np.asarray(full[:, -probs.shape[1] :], dtype=probs.dtype)


def both_columns(probs: Array) -> Array:
    """(N, 2) for the one column of a binary task; others as they are."""
    return np.concatenate([1 - probs, probs], axis=1) if probs.shape[1] == 1 else probs


def make_shift(
    prior: str | dict[str, float],
    task: Task,
    classes: tuple[str, ...],
    target: Array,
    test: Array,
    seen: tuple[Array, Array] | None = None,
) -> Shift:
    """The shift to the class prior of the test set that `ensemble.prior` asks for.

    prior: class -> share, or "auto" to estimate it; target: (N,) of the training set; test: (T, C)
    probabilities of the test images; seen: out-of-fold probabilities (M, C) and their targets (M,),
    on which those of the test images are calibrated. Raises ConfigError for tasks with several
    labels per image, for grades that are predicted as numbers, and for names that are no classes.
    """
    if task.target_ndim != 1:
        raise ConfigError(
            f"ensemble.prior: an image of task {task.name!r} can have several classes or none, so "
            "there are no shares of classes to sum to 1; set it to null"
        )
    if task.link.steps == "fixed":
        raise ConfigError(
            "ensemble.prior: shares of classes need probabilities, and model.ordinal: regression "
            "predicts a number between grades; set it to null, or use model.ordinal: classes"
        )
    before = np.bincount(target, minlength=len(classes)) / len(target)
    if isinstance(prior, str):
        given = both_columns(test)
        if seen is not None:
            given = calibrate(both_columns(seen[0]), seen[1], given)
        return Shift(before, estimate_prior(given, before), estimated=True)
    if set(prior) != set(classes):
        raise ConfigError(
            f"ensemble.prior: names {first(prior)}; the classes are {first(classes, 12)}"
        )
    after = np.array([prior[name] for name in classes])
    return Shift(before, np.maximum(after, _LEAST) / np.maximum(after, _LEAST).sum(), False)


def calibrate(probs: Array, target: Array, given: Array) -> Array:
    """`given` (T, C), calibrated by what makes the targets (M,) of `probs` (M, C) likeliest.

    The calibration is one power of all probabilities and one factor per class.
    """
    from scipy.optimize import minimize

    logs = np.log(np.maximum(np.asarray(probs, dtype=np.float64), _TINY))
    hot = one_hot(target, logs.shape[1])

    def loss(values: Array) -> tuple[float, Array]:
        found = _changed(logs, values)
        error = (found - hot) / len(hot)
        slope = np.concatenate([[(error * logs).sum()], error.sum(axis=0)])
        return float(-np.log(np.maximum(found[hot > 0], _TINY)).mean()), slope

    start = np.concatenate([[1.0], np.zeros(logs.shape[1])])
    best = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return _changed(np.log(np.maximum(np.asarray(given, dtype=np.float64), _TINY)), best)


def _changed(logs: Array, values: Array) -> Array:
    raised = values[0] * logs + values[1:]
    raised = np.exp(raised - raised.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def estimate_prior(probs: Array, before: Array) -> Array:
    """(classes,): the class prior of a set of images, by expectation maximization.

    probs: (T, classes), from models trained where the shares were `before`.
    """
    probs = np.asarray(probs, dtype=np.float64)
    after = before.copy()
    for _ in range(_ROUNDS if len(probs) else 0):
        full = probs * (after / before)
        full /= np.maximum(full.sum(axis=1, keepdims=True), 1e-300)
        found = np.maximum(full.mean(axis=0), _LEAST)
        found /= found.sum()
        still = np.abs(found - after).max() < _STILL
        after = found
        if still:
            break
    return np.asarray(after)


class Shifted:
    """Probabilities (N, C) that are adjusted when they are read, a slice at a time."""

    def __init__(self, probs: Array, shift: Shift) -> None:
        self.probs, self.shift, self.shape = probs, shift, probs.shape

    def __getitem__(self, key: Any) -> Array:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return self.shift.adjust(np.asarray(self.probs[rows]))[:, columns]
