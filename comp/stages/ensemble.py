"""`comp ensemble`: from the members' predictions to a checked submission and its honest score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import ConfigError, UsageError, pick
from comp.data.folds.make import judged_part
from comp.data.index.index import Index
from comp.data.layouts.test_answers import read_answers
from comp.ensemble.blend import Answer, Blend, answer, make_blend, make_evidence
from comp.ensemble.compare import Evidence, Row, all_pairs, best_row, compare
from comp.ensemble.prior import Shift, make_shift
from comp.ensemble.votes import VOTES, check_vote
from comp.ensemble.weights import WEIGHERS, read_weights
from comp.inference.predictions import Predictions
from comp.stages.ensemble_result import Ensembled, Request, manifest_of, plain_row
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train
from comp.stages.mask_answers import ensemble_masks
from comp.stages.members import Ground, Model, covered_ids, gather
from comp.stages.submission import Gate, check_counts, open_gate
from comp.submission import write_submission
from comp.submission.submission_warnings import shares

Array = np.ndarray[Any, Any]


def ensemble(experiment: Experiment, request: Request | None = None) -> Ensembled:
    """Predict what is missing, judge votes and weights out of fold, and write the submission.

    Raises RunError for a fold that is not finished, PlanError and PredictionsError for predictions
    that do not belong together, SubmissionError for a file that would be refused: then none is
    written.
    """
    request = request or Request()
    config, task, metric = experiment.config, experiment.task, experiment.metric
    if config.train.subset is not None:
        raise ConfigError(
            f"train.subset: an experiment on {config.train.subset} images has no out-of-fold row "
            "for the others, so there is nothing to ensemble; train without it"
        )
    check_vote(pick(VOTES, config.ensemble.vote, "ensemble.vote"), metric)
    runs = request.runs or (experiment.name,)
    paths = Workspace(_out_name(experiment, request, runs), experiment.workspace.root)
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    check_counts(experiment)
    test = read_test_images(experiment, index.classes)
    rows = experiment.config.submission.write not in ("masks", "coco")
    gate = open_gate(experiment, test, index.classes, index.codes, table=rows)
    ground = Ground(experiment, index, test, plan, request.partial)
    models = gather(ground, runs, request.added, config.ensemble.combine)
    if task.spatial:
        return ensemble_masks(ground, request, models, gate, paths)
    ids = covered_ids(models, index)
    shift = _shift(experiment, index, test, models, ids)
    judgeable, _, parts = judged_part(index, plan)
    seen, fold = _part(index, ids), parts[judgeable.rows(ids)]
    judged = [replace_ids(model.oof, ids) for model in models if model.oof is not None]
    evidence = make_evidence(judged, seen, fold, task, metric, plan=plan.fingerprint, shift=shift)
    table = _table(experiment, evidence, models, seen, request.partial)
    row = next(r for r in table if (r.vote.name, r.weigher) == _asked(experiment))
    blend = _blend_of(row, models, experiment)
    tests = [test_ for model in models for test_ in model.tests]
    final = answer(
        blend,
        tests,
        test.ids,
        task,
        index.classes,
        plan.fingerprint,
        shift,
        keep_probs=metric.wants == "probs" or gate.form.allowed is None,
    )
    expected = _expected(evidence, row, gate)
    files.sweep(paths.submission_csv.parent)
    write_submission(
        paths.submission_csv,
        paths.submission_json,
        gate.sample,
        gate.form,
        ids=final.ids,
        labels=final.labels,
        probs=final.probs,
        manifest={
            **manifest_of(experiment, plan.fingerprint, plan.index_fingerprint, blend, models),
            "leak": list(plan.leak),
            "covered": len(ids),
            "of": len(index),
            "prior": None
            if shift is None
            else dict(zip(index.classes, shift.after.tolist(), strict=True)),
            "table": [plain_row(r) for r in table],
            "expected_shares": expected,
        },
    )
    return Ensembled(
        path=paths.submission_csv,
        manifest=paths.submission_json,
        metric=metric.name,
        blend=blend,
        models=tuple(models),
        table=tuple(table),
        best=best_row(metric, table),
        covered=len(ids),
        of=len(index),
        rows=len(test),
        shares=_shares(index, final),
        prior=shift,
        true_score=_true_score(experiment, index.classes, final),
        warnings=tuple(gate.judge(paths.submission_csv, expected, len(ids))),
    )


def _out_name(experiment: Experiment, request: Request, runs: Sequence[str]) -> str:
    """The name of the submission: other members than those of the config get another name."""
    if request.out is not None:
        if Path(request.out).name != request.out or not request.out.strip("."):
            raise UsageError(
                f"--out {request.out}: a name, without folders; it is put in submissions/"
            )
        return request.out.removesuffix(".csv")
    names = [*runs, *(path.stem for path in request.added)]
    return experiment.name if names == [experiment.name] else "+".join(names)[:100]


def replace_ids(oof: Predictions, ids: Sequence[str]) -> Predictions:
    """Only the rows of `ids`, which must all be there."""
    return oof.align(ids)


def _part(index: Index, ids: list[str]) -> Index:
    """The index of some of its ids."""
    if len(ids) == len(index):
        return index
    return index.part(index.rows(ids))


def _asked(experiment: Experiment) -> tuple[str, str]:
    return experiment.config.ensemble.vote, experiment.config.ensemble.weights


def _shift(
    experiment: Experiment, index: Index, test: Index, models: Sequence[Model], ids: list[str]
) -> Shift | None:
    """The shift of `ensemble.prior`; an estimate is made from the mean of all test predictions,
    calibrated on the mean of the out-of-fold ones."""
    prior = experiment.config.ensemble.prior
    if prior is None:
        return None

    def mean(parts: list[Array]) -> Array:
        neutral = experiment.task.link.neutral(parts[0].shape[1])
        found = VOTES["soft"].merge(parts, np.ones(len(parts)), experiment.task, neutral).probs
        assert found is not None
        return found

    tests = mean([t.align(test.ids).probs for model in models for t in model.tests])
    oof = mean([model.oof.align(ids).probs for model in models if model.oof is not None])
    seen = oof, index.labels[index.rows(ids)]
    return make_shift(prior, experiment.task, index.classes, index.labels, tests, seen)


def _table(
    experiment: Experiment,
    evidence: Evidence,
    models: Sequence[Model],
    index: Index,
    partial: bool,
) -> list[Row]:
    """Every vote with every kind of weights; with one fold only, what needs no fitting."""
    config = experiment.config
    vote, weigher = _asked(experiment)
    names = [model.name for model in models]
    judged = [model.oof is not None for model in models]
    given = None
    if weigher not in WEIGHERS:
        given = read_weights(experiment.path(weigher), names)[judged]
        if not given.sum():
            raise ConfigError(
                f"ensemble.weights: {weigher}: all members with out-of-fold rows weigh 0"
            )
    one_fold = partial and len(np.unique(evidence.fold)) < 2
    pairs = all_pairs(experiment.metric, len(evidence.probs), (vote, weigher))
    if one_fold:
        pairs = [(v, name) for v, name in pairs if name not in ("greedy", "optimize")]
        pairs = pairs or [(VOTES[vote], "equal")]
    return compare(
        evidence,
        pairs,
        tune_rule=config.ensemble.tune and not one_fold,
        seed=config.seed,
        groups=index.groups,
        given=given,
    )


def _blend_of(row: Row, models: Sequence[Model], experiment: Experiment) -> Blend:
    """The blend of all members. One that could not be judged weighs like the mean of the others,
    or what the file of weights says, and votes by their mean rule."""
    judged = [model for model in models if model.oof is not None]
    others = [model for model in models if model.oof is None]
    if others:
        if row.weigher in ("greedy", "optimize"):
            raise ConfigError(
                f"ensemble.weights: {row.weigher} needs out-of-fold rows of every member, "
                f"{others[0].name} has none; use equal or a file of weights"
            )
        names = [model.name for model in [*judged, *others]]
        weights = np.full(len(names), 1.0)
        if row.weigher not in WEIGHERS:
            weights = read_weights(experiment.path(row.weigher), names)
        rule = row.fit.rule
        if rule.ndim == 2:
            rule = np.concatenate([rule, np.repeat(rule.mean(0)[None], len(others), axis=0)])
        row = replace(row, fit=replace(row.fit, weights=weights / weights.sum(), rule=rule))
    blend = make_blend(row, [model.member_names for model in [*judged, *others]], experiment.metric)
    notes = [blend.note] if blend.note else []
    if row.fit.shrunk:
        notes.append("few positives: thresholds are drawn towards 0.5")
    notes += [f"{model.name}: not judged, it has no out-of-fold rows" for model in others]
    return replace(blend, note="; ".join(notes))


def _expected(evidence: Evidence, row: Row, gate: Gate) -> dict[str, float]:
    """The share of each class in the out-of-fold answers, at the balance of the test set."""
    weights, rule = row.fit.weights, row.fit.rule
    result = row.vote.merge(evidence.probs, weights, evidence.task, rule, parts=evidence.fold)
    cells = gate.form.cells(result.labels, result.probs)
    rows = None
    if evidence.class_weights is not None:
        rows = evidence.class_weights[evidence.target].tolist()
    return shares(dict(zip(gate.sample.answers, cells, strict=True)), gate.form, rows)


def _shares(index: Index, final: Answer) -> dict[str, tuple[float, float]]:
    """For each class, the share of training images that have it and of test images given it."""

    def of(labels: Array) -> Array:
        if labels.ndim == 1:
            return np.bincount(labels, minlength=len(index.classes)) / len(labels)
        return np.asarray(labels.mean(axis=0))

    pairs = zip(index.classes, of(index.labels), of(final.labels), strict=True)
    return {name: (float(train), float(test)) for name, train, test in pairs}


def _true_score(experiment: Experiment, classes: tuple[str, ...], final: Answer) -> float | None:
    target = read_answers(experiment.data, experiment.task, classes, final.ids)
    if target is None:
        return None
    given = final.probs if experiment.metric.wants == "probs" else final.labels
    assert given is not None, "check_vote refuses a vote without probabilities for such a metric"
    return experiment.metric.score(target, given, len(classes))
