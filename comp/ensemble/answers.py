"""What a blend says of the test images: over a table at once, over masks one image at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from comp.data.images.geometry import scaled
from comp.data.images.header import image_size
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.ensemble.blend import Blend, aligned, check_members
from comp.ensemble.mask_evidence import each_row
from comp.ensemble.prior import Shift, Shifted
from comp.ensemble.rules.regions import RegionRule, decide, merged
from comp.inference.predictions import Predictions
from comp.tasks.kinds import Task
from comp.tasks.metrics import METRICS, Metric

Array = np.ndarray[Any, Any]


class BlendAnswers(Protocol):
    """The answers of a blend for the test images."""

    @property
    def ids(self) -> tuple[str, ...]:
        """(T,) the ids of the test images, in the order of the answers."""

    def shares(self) -> Array:
        """(K,) the share of test images that each class is answered for. Over masks: of the images
        that were iterated over."""

    def true_score(self, metric: Metric) -> float | None:
        """The score against the known answers; None where they are not known."""


@dataclass(frozen=True)
class TableAnswers:
    """The answers for all test images at once.

    `labels`  (T,) or (T, C), in the shape of a target
    `probs`   (T, C); None after a hard vote and where they are not kept
    `truth`   what is true of the test images, in the shape of `labels`, or None
    `weights`  (T,) how much each of them counts in the score, or None
    """

    ids: tuple[str, ...]
    labels: Array
    probs: Array | None
    classes: int
    truth: Array | None = None
    weights: Array | None = None

    def shares(self) -> Array:
        """See BlendAnswers."""
        if self.labels.ndim == 1:
            return np.bincount(self.labels, minlength=self.classes) / len(self.labels)
        return np.asarray(self.labels.mean(axis=0))

    def true_score(self, metric: Metric) -> float | None:
        """See BlendAnswers."""
        if self.truth is None:
            return None
        given = self.probs if metric.wants == "probs" else self.labels
        assert given is not None, "check_vote refuses a vote without probabilities for such metrics"
        return metric.score(self.truth, given, self.classes, metric.row_weights(self.weights))


def answer_table(
    blend: Blend,
    members: Sequence[Predictions],
    test: Index,
    task: Task,
    plan: str,
    *,
    shift: Shift | None = None,
    keep_probs: bool = True,
    truth: Array | None = None,
    counts: Array | None = None,
) -> TableAnswers:
    """What the blend says of the test images, whatever order the members have.

    members: test predictions, one for each weight; keep_probs: whether merged probabilities are
    wanted, which are as large as one member. counts: (T,) how much each test image counts in the
    score against `truth`, or None. Raises PlanError, PredictionsError for members
    of another plan, of other classes, or of other ids.
    """
    check_members(members, test.classes, plan)
    probs: list[Any] = [aligned(member, test.ids).probs for member in members]
    if shift is not None:
        probs = [Shifted(member, shift) for member in probs]
    weights = np.asarray(blend.weights)
    result = blend.vote.merge(probs, weights, task, blend.rule, keep_probs=keep_probs)
    probs_of = result.probs
    shown = None if probs_of is None else task.link.shown(probs_of, np.asarray(blend.rule))
    return TableAnswers(test.ids, result.labels, shown, len(test.classes), truth, counts)


class MaskAnswers:
    """The masks of the test images, made one after the other as they are iterated over."""

    def __init__(
        self,
        blend: Blend,
        members: Sequence[Predictions],
        test: Index,
        task: Task,
        plan: str,
        *,
        truth: Masks | None = None,
        metric: Metric | None = None,
    ) -> None:
        """truth: the known masks of the test images, in their order, or None. metric: what
        `true_score` will be asked for; None: one of counts of pixels.

        Raises what `answer_table` raises.
        """
        check_members(members, task.column_names(test.classes), plan)
        self.blend, self.test, self.task, self.truth = blend, test, task, truth
        self.maps = [aligned(member, test.ids).probs for member in members]
        self.metric = METRICS["dice"] if metric is None else metric
        self._holding = np.zeros(len(test.classes))
        self._counts: list[Array] = []

    @property
    def ids(self) -> tuple[str, ...]:
        """See BlendAnswers."""
        return self.test.ids

    def __iter__(self) -> Iterator[tuple[str, Array, Array]]:
        """Id, mask (L, H, W) uint8 and probabilities (C, H, W) of each image, at its own size."""
        self._holding[:], self._counts = 0, []
        classes = len(self._holding)
        for row, (mask, probs) in enumerate(each_row(self._one(), len(self.test), "answering")):
            for c in range(classes):
                own = mask[0] == c + 1 if len(mask) < classes else mask[c] == 1
                self._holding[c] += own.any()
            if self.truth is not None:
                true = self.truth.read(row).transpose(2, 0, 1)
                columns = self.task.columns(classes)
                self._counts.append(self.metric.of_image(true, mask, probs, columns))
            yield self.test.ids[row], mask, probs

    def _one(self) -> Callable[[int], tuple[Array, Array]]:
        weights, rule = np.asarray(self.blend.weights), RegionRule.of(self.blend.rule)

        def one(row: int) -> tuple[Array, Array]:
            maps = merged(self.maps, [row] * len(self.maps), weights, self.blend.vote, self.task)
            probs = scaled(maps, *image_size(self.test.paths[row]))
            return decide(probs, rule, self.task), probs

        return one

    def shares(self) -> Array:
        """See BlendAnswers."""
        return self._holding / max(1, len(self.test))

    def true_score(self, metric: Metric) -> float | None:
        """See BlendAnswers."""
        if self.truth is None:
            return None
        counts = np.stack(self._counts)
        return metric.score(counts, counts, len(self._holding))
