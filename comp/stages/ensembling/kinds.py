"""What differs in `comp ensemble` between a table of answers and masks; nothing else asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from comp.core.errors import ConfigError, PredictionsError
from comp.core.progress import say
from comp.data.cache.image_range import with_range
from comp.data.folds.held_out import new_target
from comp.data.folds.make import judged_part
from comp.data.images.pixel_form import form_of
from comp.data.images.reading import read_picture_of
from comp.data.index.index import Index
from comp.data.layouts.test_answers import answer_weights, read_answers, read_true_masks
from comp.ensemble.answers import MaskAnswers, TableAnswers, answer_table
from comp.ensemble.blend import Blend, aligned, check_members
from comp.ensemble.compare import BlendRow
from comp.ensemble.evidence import Evidence
from comp.ensemble.mask_evidence import MaskEvidence
from comp.ensemble.prior import Shift, make_shift
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.ensemble.weights import SIGNED
from comp.report.validation_page import write_validation_page
from comp.stages.ensembling.members import Ground, Model, covered_ids
from comp.stages.ensembling.result import Request
from comp.stages.experiment import held_classes
from comp.submission import Answers, Format

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of answers.

    `refuse`    raises ConfigError for what these answers cannot do
    `evidence`  the out-of-fold predictions of the models, with the truth
    `answers`   the answers of a blend for the test images
    `expected`  the share of each class in the out-of-fold answers of a row
    `pieces`    the answers as they are written, see `comp.submission.write_submission`
    `report`    writes pages about a row
    """

    refuse: Callable[[Ground, Request], None]
    evidence: Callable[[Ground, Sequence[Model], Shift | None], Any]
    answers: Callable[[Ground, Sequence[Model], Blend, Format, Shift | None], Any]
    expected: Callable[[Any, BlendRow, Format], dict[str, float]]
    pieces: Callable[[Any], Iterable[Answers]]
    report: Callable[[Ground, Any, BlendRow], None]


def kind_of(ground: Ground) -> Kind:
    """Tables, or masks where the task is spatial."""
    return _KINDS[ground.experiment.task.spatial]


def judged_models(ground: Ground, models: Sequence[Model]) -> tuple[Index, Array, list[Any]]:
    """The images that every model has out-of-fold rows of, the fold of each, and these rows."""
    index, task = ground.index, ground.experiment.task
    oofs = [model.oof for model in models if model.oof is not None]
    check_members(oofs, task.column_names(index.classes), ground.plan.fingerprint)
    judged, _, parts = judged_part(index, ground.plan)
    validated = {*judged.ids}
    ids = [name for name in covered_ids(models, index) if name in validated]
    if not ids:
        raise PredictionsError(
            "no image has out-of-fold rows of every member: their plans validate on other images"
        )
    part = index if len(ids) == len(index) else index.part(index.rows(ids))
    return part, parts[judged.rows(ids)], oofs


def make_evidence(ground: Ground, models: Sequence[Model], shift: Shift | None = None) -> Evidence:
    """The out-of-fold predictions of the models, with the truth.

    Raises PlanError and PredictionsError for members that do not belong together.
    """
    evidence: Evidence = kind_of(ground).evidence(ground, models, shift)
    return evidence


def find_shift(ground: Ground, models: Sequence[Model]) -> Shift | None:
    """The shift of `ensemble.prior`; an estimate is made from the mean of all test predictions,
    calibrated on the mean of the out-of-fold ones."""
    prior, task = ground.experiment.config.ensemble.prior, ground.experiment.task
    if prior is None:
        return None

    def mean(parts: list[Array]) -> Array:
        neutral = task.link.neutral(parts[0].shape[1])
        found = VOTES["soft"].merge(parts, np.ones(len(parts)), task, neutral).probs
        assert found is not None
        return found

    index, ids = ground.index, covered_ids(models, ground.index)
    tests = mean([t.align(ground.test.ids).probs for model in models for t in model.tests])
    oof = mean([model.oof.align(ids).probs for model in models if model.oof is not None])
    seen = oof, index.labels[index.rows(ids)]
    return make_shift(prior, task, index.classes, index.labels, tests, seen)


def _any_table(ground: Ground, request: Request) -> None:
    pass


def _table_evidence(ground: Ground, models: Sequence[Model], shift: Shift | None) -> TableEvidence:
    part, fold, oofs = judged_models(ground, models)
    probs = [np.asarray(aligned(oof.align(part.ids), part.ids).probs) for oof in oofs]
    rows = ground.index.rows(part.ids)
    own = [model.fold for model in models if model.oof is not None]
    folds = [fold if other is None else other[rows] for other in own]
    return TableEvidence(
        ground.experiment.task,
        ground.experiment.metric,
        _target(ground, part, fold),
        fold,
        tuple(probs if shift is None else map(shift.adjust, probs)),
        len(part.classes),
        weights=_row_weights(ground, part, shift),
        groups=part.groups,
        ids=part.ids,
        names=part.classes,
        own_folds=tuple(folds) if any(other is not None for other in own) else (),
    )


def _target(ground: Ground, part: Index, fold: Array) -> Array:
    """The truth; the new class where an image's class was left out of its fold."""
    held = held_classes(ground.experiment, part)
    return part.labels if held is None else new_target(part.labels, fold, held)


def _row_weights(ground: Ground, part: Index, shift: Shift | None) -> Array | None:
    """(N,) how much each row counts in the score: by `data.weight`, and by the class prior."""
    given = ground.experiment.metric.row_weights(part.weights)
    if shift is None:
        return given
    by_class = np.asarray(shift.class_weights)[part.labels]
    return np.asarray(by_class if given is None else by_class * given)


def _table_answers(
    ground: Ground, models: Sequence[Model], blend: Blend, file_format: Format, shift: Shift | None
) -> TableAnswers:
    experiment, classes = ground.experiment, ground.index.classes
    return answer_table(
        blend,
        [test for model in models for test in model.tests],
        ground.test,
        experiment.task,
        ground.plan.fingerprint,
        shift=shift,
        keep_probs=experiment.metric.wants == "probs" or file_format.needs_probs,
        truth=read_answers(experiment.data, experiment.task, classes, ground.test.ids),
        counts=answer_weights(experiment.data, ground.test.ids),
    )


def _table_expected(
    evidence: TableEvidence, row: BlendRow, file_format: Format
) -> dict[str, float]:
    """At the balance of the test set."""
    result = row.vote.merge(
        evidence.probs, row.fit.weights, evidence.task, row.fit.rule, parts=evidence.parts
    )
    rows = None if evidence.weights is None else evidence.weights.tolist()
    return file_format.content.expected_shares(result.labels, result.probs, rows)


def _whole_table(answers: TableAnswers) -> Iterable[Answers]:
    return [Answers(answers.ids, answers.labels, answers.probs)]


def _no_page(ground: Ground, evidence: TableEvidence, row: BlendRow) -> None:
    pass


def _refuse_for_masks(ground: Ground, request: Request) -> None:
    config = ground.experiment.config
    if VOTES[config.ensemble.vote].ranks:
        raise ConfigError(
            "ensemble.vote: rank needs all images at once, which masks cannot be; use another vote"
        )
    if not VOTES[config.ensemble.vote].maps or config.ensemble.weights in SIGNED:
        raise ConfigError(
            "ensemble.vote, ensemble.weights: powers and climb are for classification; for masks "
            "use soft, geometric, logit or hard with equal, greedy or optimize"
        )
    if request.added:
        raise ConfigError("--add: a table cannot hold masks; train the member with comp")
    if config.ensemble.prior is not None:
        raise ConfigError("ensemble.prior: is for classification; leave it out for masks")


def _mask_evidence(ground: Ground, models: Sequence[Model], _: Shift | None) -> MaskEvidence:
    part, fold, oofs = judged_models(ground, models)
    return MaskEvidence.of(ground.experiment.task, ground.experiment.metric, part, fold, oofs)


def _mask_answers(
    ground: Ground, models: Sequence[Model], blend: Blend, _format: Format, _: Shift | None
) -> MaskAnswers:
    experiment, index = ground.experiment, ground.index
    tests = [test for model in models for test in model.tests]
    truth = read_true_masks(
        experiment.data, experiment.task, index.classes, ground.test.ids, index.codes
    )
    return MaskAnswers(
        blend,
        tests,
        ground.test,
        experiment.task,
        ground.plan.fingerprint,
        truth=truth,
        metric=experiment.metric,
    )


def _mask_expected(evidence: MaskEvidence, row: BlendRow, file_format: Format) -> dict[str, float]:
    """The share of images in which each class is predicted."""
    assert row.found is not None, "the row of the config keeps its answers"
    counts = row.found.tuned
    if evidence.metric.measure is not None:
        counts = evidence.pixels(row.vote, row.found.fit)
    own = counts[:, counts.shape[1] - len(evidence.index.classes) :]
    predicted = (own[..., 0] + own[..., 1]) > 0
    return file_format.content.expected_shares(predicted, None)


def _image_by_image(answers: MaskAnswers) -> Iterable[Answers]:
    return (Answers((name,), mask[None], probs[None]) for name, mask, probs in answers)


def _mask_page(ground: Ground, evidence: MaskEvidence, row: BlendRow) -> None:
    """The page of the worst, median and best out-of-fold images."""
    assert row.found is not None, "the row of the config keeps its answers"
    paths = ground.experiment.workspace
    path = paths.run / "validation.html"
    image = with_range(ground.experiment.config.image, evidence.index, paths.cache)
    write_validation_page(
        path,
        evidence.index,
        evidence.shown(row.vote, row.found),
        row.scores.honest,
        evidence.metric,
        lambda number: evidence.masks(row.vote, row.fit, number),
        partial(read_picture_of, form=form_of(image)),
    )
    say(f"wrote {path}")


_KINDS = {
    False: Kind(
        _any_table, _table_evidence, _table_answers, _table_expected, _whole_table, _no_page
    ),
    True: Kind(
        _refuse_for_masks,
        _mask_evidence,
        _mask_answers,
        _mask_expected,
        _image_by_image,
        _mask_page,
    ),
}
