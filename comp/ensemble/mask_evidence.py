"""Evidence over masks: images are read one at a time, never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from comp.core.parallel import read_ahead
from comp.core.progress import track
from comp.data.images.geometry import scaled
from comp.data.index.index import Index
from comp.ensemble.blend_scores import make_judge
from comp.ensemble.cross_fit import bootstrap, check_folds, gain_of_mixing
from comp.ensemble.evidence import CrossFit, Fit, Fitting
from comp.ensemble.label_issues import LabelIssue, mask_issues
from comp.ensemble.rules.region_fit import RegionFit, fit_regions
from comp.ensemble.rules.region_search import search_regions
from comp.ensemble.rules.regions import RegionRule, decide, merged, neutral_rule
from comp.ensemble.votes import VOTES, Vote
from comp.ensemble.weights import WEIGHERS
from comp.inference.predictions import Predictions
from comp.tasks.counts import IGNORED
from comp.tasks.kinds import TASKS, Task
from comp.tasks.metrics import METRICS, Metric

Array = np.ndarray[Any, Any]

_SAMPLED = 1_000_000  # pixels on which weights are searched
_THREADS = 4  # OpenCV and NumPy work outside the interpreter's lock


@dataclass(frozen=True)
class PixelSample:
    """Pixels of all images as rows of a table.

    `target`  (P,) class numbers, or (P, K) zeros and ones where classes may overlap
    `probs`   what each member says of them, each (P, C)
    `fold`    (P,) the fold of the image that a pixel is from
    """

    target: Array
    probs: list[Array]
    fold: Array


@dataclass(frozen=True)
class MaskEvidence:
    """See `comp.ensemble.evidence.Evidence`.

    `index`  the N images, with their masks
    `fold`   (N,)
    `maps`   per member the probabilities of its images, (n, C, h, w) uint8
    `rows`   per member the row of each of the N images in its maps, (N,)
    """

    task: Task
    metric: Metric
    index: Index
    fold: Array
    maps: tuple[Any, ...]
    rows: tuple[Array, ...]

    @staticmethod
    def of(
        task: Task, metric: Metric, index: Index, fold: Array, oofs: Sequence[Predictions]
    ) -> MaskEvidence:
        """The evidence of these images from out-of-fold predictions that hold all of them."""
        places = [{name: row for row, name in enumerate(oof.ids)} for oof in oofs]
        rows = tuple(np.array([place[name] for name in index.ids]) for place in places)
        return MaskEvidence(task, metric, index, fold, tuple(oof.probs for oof in oofs), rows)

    @property
    def members(self) -> int:
        """See Evidence."""
        return len(self.maps)

    @property
    def groups(self) -> Sequence[str] | None:
        """See Evidence."""
        return self.index.groups

    def votes(self) -> tuple[Vote, ...]:
        """See Evidence: ranks need all images at once; powers and negative weights are left out."""
        return tuple(replace(v, signed=False) for v in VOTES.values() if v.maps and not v.ranks)

    def read(self, vote: Vote, weights: Array, row: int) -> tuple[Array, Array]:
        """Merged probabilities (C, H, W) and truth (L, H, W) of an image, at its own size."""
        truth = self._truth(row)
        maps = merged(self.maps, [int(rows[row]) for rows in self.rows], weights, vote, self.task)
        return scaled(maps, *truth.shape[1:]), truth

    def _truth(self, row: int) -> Array:
        assert self.index.masks is not None, "a spatial task has an index with masks"
        return self.index.masks.read(row).transpose(2, 0, 1)

    def masks(self, vote: Vote, fit: Fit, row: int) -> tuple[Array, Array]:
        """Truth and decision of an image, both (H, W, L) uint8."""
        probs, truth = self.read(vote, fit.weights, row)
        mask = decide(probs, RegionRule.of(fit.rule), self.task)
        return truth.transpose(1, 2, 0), mask.transpose(1, 2, 0)

    def score(self, answers: Array) -> float:
        """See Evidence. answers: (N, C, 4) counts of pixels."""
        return self.metric.score(answers, answers, len(self.index.classes))

    def interval(self, answers: Array, seed: int) -> tuple[float, float]:
        """See Evidence."""
        classes = len(self.index.classes)
        return bootstrap(self.metric, answers, answers, classes, self.index.groups, seed)

    def class_scores(self, answers: Array) -> dict[str, float | None]:
        """See Evidence."""
        classes = len(self.index.classes)
        values = self.metric.class_scores(answers, classes)[-classes:]
        return {
            name: None if np.isnan(value) else round(float(value), 6)
            for name, value in zip(self.index.classes, values, strict=True)
        }

    def fit(self, vote: Vote, weigher: str, fitting: Fitting) -> Fit:
        """Weights and rule from all images."""
        weights = self._weights(vote, weigher, fitting, self._sampled(weigher, fitting), None)
        return Fit(weights, self._regions(vote, weights, fitting).rule.table())

    def decide(self, vote: Vote, fit: Fit) -> Array:
        """See Evidence: (N, C, 4) counts of pixels of each image, or what the metric measures."""
        return self._each(vote, fit, self.metric)

    def pixels(self, vote: Vote, fit: Fit) -> Array:
        """(N, C, 4) counts of pixels of each image, whatever the metric measures."""
        return self._each(vote, fit, METRICS["dice"])

    def shown(self, vote: Vote, found: CrossFit) -> Array:
        """(N, C, 4) counts of pixels to choose pictures and scores per class by: those of what is
        sent, or where the metric measures something else, those of the fit."""
        return found.sent if self.metric.measure is None else self.pixels(vote, found.fit)

    def _each(self, vote: Vote, fit: Fit, metric: Metric) -> Array:
        rule, columns = RegionRule.of(fit.rule), self.task.columns(len(self.index.classes))

        def count(row: int) -> Array:
            probs, truth = self.read(vote, fit.weights, row)
            return metric.of_image(truth, decide(probs, rule, self.task), probs, columns)

        return np.stack(list(each_row(count, len(self.index), "scoring masks")))

    def cross_fit(self, vote: Vote, weigher: str, fitting: Fitting) -> CrossFit:
        """See Evidence. Each part of the rule is kept only where its cross-fitted score gains."""
        sample = self._sampled(weigher, fitting)
        weights = self._weights(vote, weigher, fitting, sample, None)
        regions = self._regions(vote, weights, fitting)
        honest, sent, by_fold = regions.honest, regions.sent, regions.by_fold
        if sample is not None:
            honest, sent, parts = honest.copy(), sent.copy(), []
            for place, number in enumerate(check_folds(self.fold)):
                here = self.fold == number
                own = self._weights(vote, weigher, fitting, sample, int(number))
                of_fold = self._regions(vote, own, fitting)
                honest[here], sent[here] = of_fold.honest[here], of_fold.sent[here]
                parts += [] if of_fold.by_fold is None else [of_fold.by_fold[place]]
            by_fold = np.stack(parts) if parts else None
        mixed = 0.0 if by_fold is None else gain_of_mixing(self.score, by_fold, self.fold)
        fit = Fit(weights, regions.rule.table())
        return CrossFit(fit, regions.raw, regions.tuned, honest, sent, regions.note, mixed)

    def _regions(self, vote: Vote, weights: Array, fitting: Fitting) -> RegionFit:
        fit = fit_regions if self.metric.measure is None else search_regions
        return fit(
            partial(self.read, vote, weights),
            self.fold,
            self.task,
            self.metric,
            len(self.index.classes),
            each_row,
            tuned=fitting.tune,
        )

    def _weights(
        self,
        vote: Vote,
        weigher: str,
        fitting: Fitting,
        sample: PixelSample | None,
        without: int | None,
    ) -> Array:
        """(M,) the weights; searched on sampled pixels, without those of the fold `without`."""
        if fitting.given is not None:
            return np.asarray(fitting.given / fitting.given.sum())
        search = WEIGHERS.get(weigher)
        if search is None or sample is None:
            return np.full(self.members, 1 / self.members)
        rows = np.ones(len(sample.fold), dtype=bool) if without is None else sample.fold != without
        task = _pixel_task(self.task)
        neutral = task.link.neutral(sample.probs[0].shape[1])
        rule = neutral if vote.gives_probs else np.tile(neutral, (self.members, 1))
        probs = [member[rows] for member in sample.probs]
        judge = make_judge(task, METRICS["macro_f1"], vote, sample.target[rows], probs, rule)
        return search(judge, fitting.seed)

    def _sampled(self, weigher: str, fitting: Fitting) -> PixelSample | None:
        """The pixels on which weights are searched; None where there is no search."""
        if fitting.given is not None or WEIGHERS.get(weigher) is None or self.members < 2:
            return None
        return sample_pixels(self)

    def label_issues(self) -> list[LabelIssue]:
        """See Evidence: the Dice of label and prediction of each image and class."""
        counts = self.pixels(VOTES["soft"], self._plain_fit())
        return mask_issues(self.index.ids, self.index.classes, counts)

    def to_show(self, issues: Sequence[LabelIssue], count: int) -> Sequence[LabelIssue]:
        """See Evidence: each image once, with the masks of all its classes."""
        first = {issue.row: issue for issue in reversed(issues)}
        return [issue for issue in issues if first[issue.row] is issue][:count]

    def pictures(self, issue: LabelIssue) -> list[tuple[str, Array | None]]:
        """See Evidence: the mask as it is marked, and as the members predict it."""
        masks = self.masks(VOTES["soft"], self._plain_fit(), issue.row)
        titles = ("marked", "predicted")
        return [(f"{t}  {issue.id}"[:40], m) for t, m in zip(titles, masks, strict=True)]

    def _plain_fit(self) -> Fit:
        rule = neutral_rule(len(self.index.classes)).table()
        return Fit(np.full(self.members, 1 / self.members), rule)


def _pixel_task(task: Task) -> Task:
    """The kind of task that single pixels are: the table with the same link."""
    return next(
        other
        for other in TASKS.values()
        if not other.spatial and other.link is task.link and other.class_limit is None
    )


def each_row(function: Callable[[int], Any], count: int, what: str) -> Iterable[Any]:
    """`function` of 0..count-1, in order, computed by a few threads, with a progress bar."""
    return track(read_ahead(function, range(count), _THREADS), count, what)


def sample_pixels(evidence: MaskEvidence) -> PixelSample:
    """Pixels of all images, evenly spread, without the ignored ones."""
    task, index = evidence.task, evidence.index
    each = max(16, _SAMPLED // max(1, len(index)))
    side = evidence.maps[0].shape[-1]
    targets, folds = [], []
    probs: list[list[Array]] = [[] for _ in evidence.maps]
    for row in track(range(len(index)), len(index), "sampling pixels"):
        own, chosen = _chosen_pixels(evidence, row, side, each)
        targets.append(own[:, 0] if task.link.normalized else own)
        folds.append(np.full(len(chosen), evidence.fold[row]))
        for member, (maps, rows) in enumerate(zip(evidence.maps, evidence.rows, strict=True)):
            one = scaled(np.asarray(maps[int(rows[row])]), side, side)
            flat = one.reshape(len(one), -1)[:, chosen].T.astype(np.float32) / 255
            total = flat.sum(axis=1, keepdims=True) if task.link.normalized else 1.0
            probs[member].append(flat / total)
    parts = [np.concatenate(member) for member in probs]
    return PixelSample(np.concatenate(targets), parts, np.concatenate(folds))


def _chosen_pixels(evidence: MaskEvidence, row: int, side: int, each: int) -> tuple[Array, Array]:
    """(P, L) what about `each` pixels of an image are, and where they are in a square of `side`."""
    truth = evidence._truth(row)
    down = np.linspace(0, truth.shape[1] - 1, side).astype(int)
    across = np.linspace(0, truth.shape[2] - 1, side).astype(int)
    small = truth[:, down][:, :, across].reshape(len(truth), -1)
    step = max(1, small.shape[1] // each)
    chosen = np.arange(row % step, small.shape[1], step)
    chosen = chosen[(small[:, chosen] != IGNORED).all(axis=0)]
    return small[:, chosen].T.astype(np.int64), chosen
