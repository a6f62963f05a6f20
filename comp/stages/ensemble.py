"""`comp ensemble`: from the members' predictions to a checked submission and its honest score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from comp.check.shift import read_weights as read_shift_weights
from comp.config.rules import broken_rules
from comp.config.values import file_name
from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import ConfigError, UsageError, pick
from comp.core.progress import say
from comp.data.index.index import Index
from comp.ensemble.blend import Blend, make_blend
from comp.ensemble.compare import BlendRow, best_row, chosen_row, compare
from comp.ensemble.cross_fit import few_units_text, units_of
from comp.ensemble.evidence import Evidence, Fit, Fitting
from comp.ensemble.prior import Shift
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES, check_vote
from comp.ensemble.weights import SIGNED, WEIGHERS, read_weights
from comp.stages.ensembling.kinds import find_shift, kind_of
from comp.stages.ensembling.members import Ground, Model
from comp.stages.ensembling.outside import gather
from comp.stages.ensembling.result import Ensembled, Request, manifest_of, plain_row
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train
from comp.stages.extras.boxes import find_crops
from comp.stages.submission import check_counts, format_of
from comp.submission import submission_warnings, write_submission

Array = np.ndarray[Any, Any]


def ensemble(experiment: Experiment, request: Request | None = None) -> Ensembled:
    """Predict what is missing, judge votes and weights out of fold, and write the submission.

    Raises RunError for a fold that is not finished, PlanError and PredictionsError for predictions
    that do not belong together, SubmissionError for a file that would be refused: then none is
    written.
    """
    request = request or Request()
    _refuse(experiment)
    find_crops(experiment)
    runs = request.runs or (experiment.name,)
    paths = Workspace(_out_name(experiment, request, runs), experiment.workspace.root)
    ground = _ground(experiment, request)
    kind = kind_of(ground)
    kind.refuse(ground, request)
    index = ground.index
    file_format = format_of(experiment, index, ground.test)
    combine = experiment.config.ensemble.combine
    for line in broken_rules(experiment.config, [str(path) for path in request.added]):
        say(f"warning: {line}")
    models = gather(ground, runs, request.added, combine, request.added_kind)
    shift = find_shift(ground, models)
    evidence = kind.evidence(ground, models, shift)
    table = _table(experiment, evidence, models, request.partial)
    row = chosen_row(table, _chosen(experiment))
    groups, count = evidence.groups, len(evidence.fold)
    few = few_units_text(units_of(count, groups), groups)
    blend = _blend_of(row, models, experiment, few)
    expected = kind.expected(evidence, row, file_format)
    answers = kind.answers(ground, models, blend, file_format, shift)
    covered = len(evidence.fold)
    manifest = {
        **manifest_of(ground, blend, models, covered),
        **_extras(evidence, row, shift, index),
        "table": [plain_row(r) for r in table],
        "expected_shares": expected,
        "honest_as_test": _as_test(ground, evidence, row),
    }
    path, rows = write_submission(
        paths.submission_json, file_format, kind.pieces(answers), manifest
    )
    kind.report(ground, evidence, row)
    return Ensembled(
        path=path,
        manifest=paths.submission_json,
        metric=experiment.metric.name,
        blend=blend,
        models=tuple(models),
        table=tuple(table),
        best=best_row(experiment.metric, table),
        covered=covered,
        of=len(index),
        rows=rows,
        shares=_shares(index, answers.shares()),
        as_test=manifest["honest_as_test"],
        prior=shift,
        true_score=answers.true_score(experiment.metric),
        by_task=manifest.get("by_task", {}),
        warnings=tuple(submission_warnings(path, file_format, expected, covered)),
    )


def _refuse(experiment: Experiment) -> None:
    config = experiment.config
    if config.train.subset is not None:
        raise ConfigError(
            f"train.subset: an experiment on {config.train.subset} images has no out-of-fold row "
            "for the others, so there is nothing to ensemble; train without it"
        )
    vote = pick(VOTES, config.ensemble.vote, "ensemble.vote")
    check_vote(vote, experiment.metric)
    if config.ensemble.weights in SIGNED and not vote.signed:
        raise ConfigError(
            f"ensemble.weights: {config.ensemble.weights} may weigh a member negatively, and a "
            f"{vote.name} vote has no negative ballots; use another vote, or greedy"
        )


def _ground(experiment: Experiment, request: Request) -> Ground:
    """The images and the plan; the sample is checked before anything is predicted."""
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    check_counts(experiment)
    test = read_test_images(experiment, index.classes)
    return Ground(experiment, index, test, plan, request.partial)


def _out_name(experiment: Experiment, request: Request, runs: Sequence[str]) -> str:
    """The name of the submission: other members than those of the config get another name."""
    if request.out is not None:
        try:
            name = str(file_name(request.out.removesuffix(".csv")))
        except ValueError as problem:
            raise UsageError(
                f"--out {request.out}: {problem}. Write a name without folders; the file goes to "
                "submissions/"
            ) from problem
        files.refuse_twin(experiment.workspace.submission_json.with_name(f"{name}.json"))
        return name
    names = [*runs, *(path.stem for path in request.added)]
    return experiment.name if names == [experiment.name] else "+".join(names)[:100]


def _chosen(experiment: Experiment) -> tuple[str, str]:
    return experiment.config.ensemble.vote, experiment.config.ensemble.weights


def _table(
    experiment: Experiment, evidence: Evidence, models: Sequence[Model], partial: bool
) -> list[BlendRow]:
    """Every vote with every kind of weights; with a single fold only what needs no fitting."""
    config = experiment.config
    weigher = config.ensemble.weights
    given = None
    if weigher not in WEIGHERS:
        judged = [model.oof is not None for model in models]
        given = read_weights(experiment.path(weigher), [model.name for model in models])[judged]
        if not given.sum():
            raise ConfigError(
                f"ensemble.weights: {weigher}: all members with out-of-fold rows weigh 0"
            )
    fitting = Fitting(config.ensemble.tune, config.seed, given)
    return compare(evidence, _chosen(experiment), fitting, partial=partial)


def _blend_of(row: BlendRow, models: Sequence[Model], experiment: Experiment, few: str) -> Blend:
    """The blend of all members. One without out-of-fold rows weighs like the mean of the others,
    or what the file of weights says, and votes by their mean rule. few: see `few_units_text`."""
    judged = [model for model in models if model.oof is not None]
    others = [model for model in models if model.oof is None]
    if others:
        row = replace(row, fit=_with_unscored(row, judged, others, experiment))
    notes = ["few positives: thresholds are drawn towards 0.5"] if row.fit.shrunk else []
    notes += [f"{model.name}: has no out-of-fold rows, so it is in no score" for model in others]
    notes += [f"the interval is {few}"] if few else []
    refits = sum("refit" in test.source for model in models for test in model.tests)
    notes += [f"{refits} refits of all images vote: not validated, in no score"] * bool(refits)
    names = [model.member_names for model in [*judged, *others]]
    return make_blend(row, names, experiment.metric, notes)


def _with_unscored(
    row: BlendRow, judged: Sequence[Model], others: Sequence[Model], experiment: Experiment
) -> Fit:
    if WEIGHERS.get(row.weigher) is not None:
        raise ConfigError(
            f"ensemble.weights: {row.weigher} needs out-of-fold rows of every member, "
            f"{others[0].name} has none; use equal or a file of weights"
        )
    names = [model.name for model in [*judged, *others]]
    weights = np.full(len(names), 1.0)
    if row.weigher not in WEIGHERS:
        weights = read_weights(experiment.path(row.weigher), names)
    rule = row.fit.rule
    if row.fit.per_member:
        rule = np.concatenate([rule, np.repeat(rule.mean(0)[None], len(others), axis=0)])
    return replace(row.fit, weights=weights / weights.sum(), rule=rule)


def _extras(evidence: Evidence, row: BlendRow, shift: Shift | None, index: Index) -> dict[str, Any]:
    """What a manifest says beside: the class balance of the test set, and scores per class."""
    after = None
    if shift is not None:
        after = dict(zip(index.classes, shift.after.tolist(), strict=True))
    assert row.found is not None, "the row of the config keeps its answers"
    if isinstance(evidence, TableEvidence) and evidence.task.link.parts:
        return {"prior": None, "by_task": evidence.part_scores(row.found.honest)}
    by_class = evidence.class_scores(row.found.sent)
    return {"prior": after} if by_class is None else {"by_class": by_class}


def _as_test(ground: Ground, evidence: Evidence, row: BlendRow) -> float | None:
    """The honest score with the weights of `comp check`, under which the training images look like
    the test images; None where there are none, or for masks."""
    path = ground.experiment.workspace.weights_csv
    if not isinstance(evidence, TableEvidence) or not path.is_file():
        return None
    weights = read_shift_weights(path, evidence.ids)
    assert row.found is not None, "the row of the config keeps its answers"
    if weights is None:
        return None
    honest, classes = row.found.honest, evidence.classes
    own = 1.0 if evidence.weights is None else evidence.weights
    found = evidence.metric.score(evidence.target, honest, classes, weights * own)
    return found - row.found.mixed if np.isfinite(found) else None


def _shares(index: Index, answered: Array) -> dict[str, tuple[float, float]]:
    """For each class, the share of training images that have it and of test images given it."""
    if index.measured:
        return {}
    had = index.cells.sum(axis=0) / np.maximum(len(index) - index.unknown, 1)
    return {
        name: (float(train), float(test))
        for name, train, test in zip(index.classes, had, answered, strict=True)
    }
