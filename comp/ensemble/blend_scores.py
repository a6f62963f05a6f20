"""Scores of many candidate blends, from running counts instead of a metric call each.

A judge holds what a vote averages: `values`, (M, C, N) float32, members by columns by images. For
thresholds each column has its own order of images, the positive ones first and the unknown ones
last: then the counts are those of one comparison, read once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from comp.ensemble.rules.cuts import whole_weights
from comp.ensemble.votes import Vote, ballots, merged_ranks
from comp.tasks.counts import UNKNOWN, mean_of_defined
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]


class Judge(Protocol):
    """Says how good blends are; larger is better, whichever way the metric is up."""

    values: Array

    def score(self, mean: Array) -> float:
        """How good this mean (C, N) of the members is."""

    def step(self, total: Array, picked: int, among: Array) -> Array:
        """How good the sum of `picked` members would be with each one of `among` added."""


def make_judge(
    task: Task,
    metric: Metric,
    vote: Vote,
    target: Array,
    probs: Sequence[Array],
    rule: Array,
    *,
    parts: Array | None = None,
    weights: Array | None = None,
) -> Judge:
    """The fastest judge that there is for this vote and metric.

    target: (N,) or (N, C); probs: members, each (N, C); rule: (C,), of a hard vote (M, C);
    weights: (N,) how much each row counts, or None. The
    thresholds of sigmoid columns are obeyed; offsets of a softmax come after the weights are found.
    """
    values = _values(task, vote, probs, rule, parts)
    whole = None if weights is None else whole_weights(weights, len(target))
    mass = whole_weights(None, len(target)) if whole is None else whole
    columns = metric.column_score(task.target_ndim)
    counted = vote.rising and metric.wants == "labels"
    if counted and not task.link.normalized and (columns or metric.by_total):
        cut = vote.transform(rule) if vote.gives_probs else np.full(values.shape[1], 0.5)
        return CountJudge(values, target, cut, metric, task, whole)
    largest = task.link.tuner == "offsets" or not vote.gives_probs  # decides
    if counted and task.link.normalized and largest and metric.by_class is not None:
        return ClassJudge(values, target, metric, mass)

    def answer(mean: Array) -> Array:
        if not vote.gives_probs:
            if task.link.normalized:
                return np.asarray(mean.argmax(axis=0))
            return task.decide(mean.T, np.full(len(mean), 0.5))
        merged = vote.inverse(mean.T.astype(np.float64), task.link)
        if metric.wants == "probs":
            return task.link.shown(merged, rule)
        return task.decide(merged, rule)

    return PlainJudge(values, target, answer, metric, mass)


def _values(
    task: Task, vote: Vote, probs: Sequence[Array], rule: Array, parts: Array | None
) -> Array:
    """(M, C, N) float32: what the vote averages."""
    out = np.empty((len(probs), probs[0].shape[1], len(probs[0])), dtype=np.float32)
    rules = np.broadcast_to(rule, (len(probs), out.shape[1]))
    for m, member in enumerate(probs):
        if vote.ranks:
            own = parts[m : m + 1] if parts is not None and parts.ndim == 2 else parts
            out[m] = merged_ranks([member], np.ones(1), own).T
        elif vote.gives_probs:
            out[m] = vote.transform(np.asarray(member, dtype=np.float64)).T
        else:
            out[m] = ballots(task, np.asarray(member), rules[m]).T
    return out


class CountJudge:
    """For thresholds: one comparison and two counts per column and candidate."""

    def __init__(
        self,
        values: Array,
        target: Array,
        cut: Array,
        metric: Metric,
        task: Task,
        weights: Array | None = None,
    ) -> None:
        truth = target.reshape(values.shape[2], values.shape[1]).T
        self.cut = cut.astype(np.float32)
        mass = np.ones(truth.shape[1]) if weights is None else weights.astype(np.float64)
        self.ends = (truth > 0).sum(axis=1), (truth != UNKNOWN).sum(axis=1)
        self.positives = (truth > 0) @ mass
        self.known = (truth != UNKNOWN) @ mass
        self.values = np.empty_like(values)
        self.mass = None if weights is None else np.empty(truth.shape)
        for c, column in enumerate(truth):
            order = np.argsort(-column + 3 * (column == UNKNOWN), kind="stable")
            self.values[:, c] = values[:, c, order]
            if self.mass is not None:
                self.mass[c] = mass[order]
        self.part, self.pooled = metric.column_score(task.target_ndim), metric.by_total

    def score(self, mean: Array) -> float:
        """See Judge."""
        return float(self._judged(self._counts(mean[None], self.cut[:, None]))[0])

    def step(self, total: Array, picked: int, among: Array) -> Array:
        """See Judge. The candidate alone is compared with what it would have to reach."""
        needed = self.cut[:, None] * np.float32(picked + 1) - total
        return self._judged(self._counts(self.values, needed, among))

    def _counts(self, values: Array, needed: Array, among: Array | None = None) -> Array:
        """(members, C, 2): true and false positives of `values >= needed`."""
        rows = range(len(values)) if among is None else among
        out = np.empty((len(rows), values.shape[1], 2))
        reached = np.empty(values.shape[2], dtype=bool)
        for c, (one, end) in enumerate(zip(*self.ends, strict=True)):
            own = None if self.mass is None else self.mass[c]
            for i, m in enumerate(rows):
                np.greater_equal(values[m, c], needed[c], out=reached)
                if own is None:
                    out[i, c] = np.count_nonzero(reached[:one]), np.count_nonzero(reached[one:end])
                else:
                    out[i, c] = own[:one] @ reached[:one], own[one:end] @ reached[one:end]
        return out

    def _judged(self, counts: Array) -> Array:
        tp, fp = counts[..., 0], counts[..., 1]
        fn = self.positives - tp
        tn = self.known - self.positives - fp
        if self.part is not None:
            return mean_of_defined(self.part(tp, fp, fn, tn))
        assert self.pooled is not None
        return self.pooled(tp.sum(axis=1), fp.sum(axis=1), fn.sum(axis=1), tn.sum(axis=1))


class ClassJudge:
    """For one class per image: the largest mean decides, and counts per class give the score."""

    def __init__(self, values: Array, target: Array, metric: Metric, weights: Array) -> None:
        self.values, self.target, self.weights = values, target, weights.astype(np.float64)
        self.part, self.classes = metric.by_class, values.shape[1]
        self.totals = np.bincount(target, self.weights, self.classes)

    def score(self, mean: Array) -> float:
        """See Judge."""
        labels = mean.argmax(axis=0)
        hit = labels == self.target
        tp = np.bincount(labels[hit], self.weights[hit], self.classes)
        fp = np.bincount(labels, self.weights, self.classes) - tp
        fn = self.totals - tp
        assert self.part is not None
        tn = self.totals.sum() - tp - fp - fn
        return float(mean_of_defined(self.part(tp, fp, fn, tn)))

    def step(self, total: Array, _: int, among: Array) -> Array:
        """See Judge."""
        return np.array([self.score(total + self.values[m]) for m in among])


class PlainJudge:
    """For everything else: the metric itself."""

    def __init__(
        self,
        values: Array,
        target: Array,
        answer: Callable[[Array], Array],
        metric: Metric,
        weights: Array,
    ) -> None:
        self.values, self.target, self.answer, self.metric = values, target, answer, metric
        self.weights = weights[None].astype(np.float64)

    def score(self, mean: Array) -> float:
        """See Judge."""
        classes = max(2, self.values.shape[1])
        found = self.metric.weighted(self.target, self.answer(mean), classes, self.weights)[0]
        return float(found if self.metric.greater_is_better else -found)

    def step(self, total: Array, picked: int, among: Array) -> Array:
        """See Judge."""
        return np.array([self.score((total + self.values[m]) / (picked + 1)) for m in among])
