"""Worlds in which nothing can be learned: is what `comp ensemble` reports the score to expect?

Members answer at random, whatever the truth is, so everything that is fitted or chosen is chance.
A choice that is made by the number that is reported makes this number too high. Each world asks
for the honest score of a set of images, and for the score of what was fitted on new images: over
`NEW` sets of the same size, because the score of a small set is not that of a large one (macro F1
is a mean of ratios), and over all of them as one.

What both have by chance in common is taken off: the members' answers as they are, which nothing
was fitted for, have an expected error of exactly 0, so they serve as a control variate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from comp.ensemble.cross_fit import gain_of_mixing
from comp.ensemble.evidence import Fit, Fitting
from comp.ensemble.rules.region_fit import fit_regions
from comp.ensemble.rules.regions import RegionRule, decide, neutral_rule
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.tta_choice import choose_views
from comp.ensemble.votes import VOTES
from comp.tasks.counts import count_pixels
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

FOLDS, NEW = 5, 30
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Noise:
    """A kind of world.

    `shares`   of the classes, or of the positives of each label
    `members`  how many models answer
    `prior`    the shares of the classes in the test set, where they are others
    """

    task: str
    shares: tuple[float, ...]
    rows: int = 60
    members: int = 1
    vote: str = "soft"
    weigher: str = "equal"
    prior: tuple[float, ...] | None = None

    @property
    def classes(self) -> int:
        return len(self.shares)

    @property
    def columns(self) -> int:
        return 1 if self.task == "binary" else self.classes

    def draw(self, seed: int, rows: int) -> tuple[Array, tuple[Array, ...]]:
        """The truth, (N,) or (N, C), and what each member says, (N, C) float32."""
        draw = np.random.default_rng(seed)
        logits = draw.normal(0, 1, (self.members, rows, self.columns))
        if self.task == "multilabel":
            target = (draw.random((rows, self.classes)) < self.shares).astype(np.int64)
        else:
            target = draw.choice(self.classes, rows, p=self.shares)
        probs = 1 / (1 + np.exp(-logits))
        if TASKS[self.task].link.normalized:
            probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        return target, tuple(probs.astype(np.float32))

    def evidence(self, target: Array, probs: Sequence[Array], fold: Array) -> TableEvidence:
        weights = None
        if self.prior is not None:
            weights = np.array(self.prior) / np.array(self.shares)
        task, metric = TASKS[self.task], METRICS["macro_f1"]
        rows = None if weights is None else weights[target]
        return TableEvidence(task, metric, target, fold, tuple(probs), self.classes, weights=rows)


def even_folds(target: Array, seed: int) -> Array:
    """Folds with equal shares of each class or label, as `comp folds make` makes them."""
    fold = np.empty(len(target), dtype=np.int64)
    if target.ndim == 2:
        splitter = MultilabelStratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        for number, (_, rows) in enumerate(splitter.split(target, target)):
            fold[rows] = number
        return fold
    draw = np.random.default_rng([seed, 1])
    order = draw.permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    fold[order] = np.arange(len(target)) % FOLDS
    return fold


def sets_of(evidence: TableEvidence, answers: Array, rows: int) -> Array:
    """(NEW,) the score of each set of `rows` rows."""
    weights = np.kron(np.eye(len(answers) // rows), np.ones(rows))
    if evidence.weights is not None:
        weights = weights * evidence.weights
    return evidence.metric.weighted(evidence.target, answers, evidence.classes, weights)


def of_world(noise: Noise, seed: int) -> tuple[float, float, float, float]:
    """honest, true in a set of this size, true in all, and the error of the untuned answers."""
    target, probs = noise.draw(seed, noise.rows)
    near = noise.evidence(target, probs, even_folds(target, seed))
    vote = VOTES[noise.vote]
    found = near.cross_fit(vote, noise.weigher, Fitting(True, seed))
    target, probs = noise.draw(1_000_000 + seed, NEW * noise.rows)
    far = noise.evidence(target, probs, np.zeros(len(target), dtype=np.int64))
    answers = far.decide(vote, found.fit)
    plain = Fit(np.full(noise.members, 1 / noise.members), near.neutral())
    control = near.score(near.decide(vote, plain))
    control -= float(np.mean(sets_of(far, far.decide(vote, plain), noise.rows)))
    same_size = float(np.mean(sets_of(far, answers, noise.rows)))
    return near.score(found.honest) - found.mixed, same_size, far.score(answers), control


def of_views(noise: Noise, seed: int) -> tuple[float, float, float, float]:
    """The same of views of test-time augmentation: a member is a view. Each fold is scored with
    the views that the other folds choose, as `comp predict` with `predict.tta: auto` lays them."""
    names = tuple(f"v{number}" for number in range(noise.members))
    target, probs = noise.draw(seed, noise.rows)
    fold, task, metric = even_folds(target, seed), TASKS[noise.task], METRICS["macro_f1"]
    choice = choose_views(names, task, metric, target, np.stack(probs), fold, noise.classes)

    def answers(given: Sequence[Array], views: str) -> Array:
        chosen = [given[names.index(name)] for name in views.split("+")]
        return task.decide(np.mean(chosen, axis=0, dtype=np.float64))

    own = np.stack([answers(probs, choice.views_for(number)) for number in range(FOLDS)])
    near = noise.evidence(target, probs, fold)
    honest = near.score(own[fold, np.arange(len(fold))])
    target, probs = noise.draw(1_000_000 + seed, NEW * noise.rows)
    far = noise.evidence(target, probs, np.zeros(len(target), dtype=np.int64))
    used, plain = answers(probs, choice.chosen), answers(probs, names[0])
    control = choice.plain_score - float(np.mean(sets_of(far, plain, noise.rows)))
    return honest, float(np.mean(sets_of(far, used, noise.rows))), far.score(used), control


def of_masks(noise: Noise, seed: int) -> tuple[float, float, float, float]:
    """The same of thresholds and areas of masks: `rows` images of 12 pixels a side, one class."""
    task, metric, side = TASKS["multilabel_segmentation"], METRICS["dice"], 12

    def draw(number: int, rows: int) -> tuple[Array, Array]:
        random = np.random.default_rng(number)
        truth = (random.random((rows, 1, side, side)) < noise.shares[0]).astype(np.uint8)
        return truth, random.random(truth.shape, dtype=np.float32)

    def counts(truth: Array, maps: Array, rule: RegionRule) -> Array:
        pairs = zip(truth, maps, strict=True)
        return np.stack([count_pixels(mask, decide(one, rule, task), 1) for mask, one in pairs])

    def score(given: Array) -> float:
        return metric.score(given, given, 1)

    truth, maps = draw(seed, noise.rows)
    fold = np.arange(noise.rows) % FOLDS
    fit = fit_regions(
        lambda row: (maps[row], truth[row]), fold, task, metric, 1,
        lambda function, count, _: map(function, range(count)), tuned=True,
    )  # fmt: skip
    assert fit.by_fold is not None
    honest = score(fit.honest) - gain_of_mixing(score, fit.by_fold, fold)
    new = draw(1_000_000 + seed, NEW * noise.rows)
    used, plain = counts(*new, fit.rule), counts(*new, neutral_rule(1))
    sets = np.split(np.arange(len(used)), NEW)
    same, chance = (float(np.mean([score(c[own]) for own in sets])) for c in (used, plain))
    return honest, same, score(used), score(fit.raw) - chance


def bias(errors: Array, control: Array) -> tuple[float, float]:
    """The mean error and its standard error, with the control variate taken off."""
    slope = np.cov(errors, control)[0, 1] / np.var(control, ddof=1) if control.any() else 0.0
    left = errors - slope * control
    return float(left.mean()), float(left.std(ddof=1) / np.sqrt(len(left)))


def measure(noise: Noise, worlds: int, world: Callable[..., Any] = of_world) -> dict[str, float]:
    """The bias of the honest score over so many worlds."""
    rows = np.array([world(noise, seed) for seed in range(worlds)])
    honest, same, far, control = rows.T
    error, spread = bias(honest - same, control)
    beyond, _ = bias(honest - far, control)
    return {
        "bias": round(error, 4),
        "standard error": round(spread, 4),
        "against one large set": round(beyond, 4),
        "worlds": worlds,
    }


EVEN, FEW = (0.5, 0.5), (0.85, 0.15)
THREE, FIVE = (0.6, 0.3, 0.1), (0.5, 0.2, 0.15, 0.1, 0.05)
TABLES = {
    "binary": Noise("binary", EVEN),
    "binary, 15 % positive": Noise("binary", FEW),
    "binary, 15 % positive, 200 rows": Noise("binary", FEW, 200),
    "binary, given prior 20 %": Noise("binary", EVEN, prior=(0.8, 0.2)),
    "binary, 3 members, greedy": Noise("binary", EVEN, members=3, weigher="greedy"),
    "binary, 3 members, optimize": Noise("binary", EVEN, members=3, weigher="optimize"),
    "binary, 3 members, hard vote": Noise("binary", EVEN, members=3, vote="hard"),
    "3 classes, even": Noise("multiclass", (1 / 3,) * 3),
    "3 classes, 10 to 60 %": Noise("multiclass", THREE),
    "3 classes, 10 to 60 %, 200 rows": Noise("multiclass", THREE, 200),
    "3 classes, 3 members, greedy": Noise("multiclass", THREE, members=3, weigher="greedy"),
    "5 classes, even": Noise("multiclass", (0.2,) * 5),
    "5 classes, 5 to 50 %": Noise("multiclass", FIVE),
    "3 labels, half positive": Noise("multilabel", (0.5,) * 3),
    "3 labels, 8 to 30 % positive": Noise("multilabel", (0.3, 0.15, 0.08)),
    "3 labels, 8 to 30 % positive, 200 rows": Noise("multilabel", (0.3, 0.15, 0.08), 200),
}
VIEWS = {
    "binary, 8 views": Noise("binary", EVEN, members=8),
    "3 classes, 8 views": Noise("multiclass", THREE, members=8),
}
MASKS = {
    "20 images, 10 % marked": Noise("masks", (0.1,), 20),
    "20 images, 40 % marked": Noise("masks", (0.4,), 20),
}
