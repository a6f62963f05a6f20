"""`comp ensemble`: from the folds' predictions to a checked submission and its honest score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp import __version__, files
from comp.config import plain
from comp.data.folds import FoldPlan, judged_part
from comp.data.index import Index
from comp.data.layouts import read_answers, read_test, sample_path
from comp.ensemble.blend import Answer, Blend, answer, make_blend, out_of_fold
from comp.ensemble.vote import VOTES, check_vote
from comp.errors import ConfigError, pick
from comp.predictions import Predictions
from comp.stages.experiment import Experiment, read_plan, read_train
from comp.stages.predict import Predictor
from comp.submission import Form, Sample, make_form, make_sample, read_sample, write_submission


@dataclass(frozen=True)
class Ensembled:
    """What was written, how it was made, and what to expect of it.

    `true_score` is the score on the test answers where the config knows them, else None.
    """

    path: Path
    manifest: Path
    metric: str
    blend: Blend
    rows: int
    shares: dict[str, tuple[float, float]]
    true_score: float | None


def ensemble(experiment: Experiment) -> Ensembled:
    """Predict what is missing, tune and score out of fold, vote, and write the submission.

    Raises RunError for a fold that is not finished, PlanError and PredictionsError for predictions
    that do not belong together, SubmissionError for a file that would be refused: then none is
    written.
    """
    config, task, metric = experiment.config, experiment.task, experiment.metric
    if config.train.subset is not None:
        raise ConfigError(
            f"train.subset: an experiment on {config.train.subset} images has no out-of-fold row "
            "for the others, so there is nothing to ensemble; train without it"
        )
    vote = pick(VOTES, config.ensemble.vote, "ensemble.vote")
    check_vote(vote, metric)
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test(config.data, task, index.classes)
    sample, form = _open_sample(experiment, test, index.classes)
    runs = [experiment.workspace.fold(number) for number in range(plan.count)]
    Predictor(experiment, index, test, plan).run(list(range(plan.count)))
    judged, fold, parts = judged_part(index, plan)
    oof = out_of_fold([Predictions.load(run.valid) for run in runs], judged, fold, plan.fingerprint)
    members = [Predictions.load(run.test) for run in runs]
    blend = make_blend(
        oof,
        judged,
        parts,
        task,
        metric,
        plan=plan.fingerprint,
        vote=vote,
        members=[str(run.path) for run in runs],
        tune_rule=config.ensemble.tune,
        seed=config.seed,
    )
    final = answer(blend, members, test.ids, task, index.classes, plan.fingerprint)
    paths = experiment.workspace
    files.sweep(paths.submission_csv.parent)
    write_submission(
        paths.submission_csv,
        paths.submission_json,
        sample,
        form,
        ids=final.ids,
        labels=final.labels,
        probs=final.probs,
        manifest=_manifest(experiment, plan, blend, members),
    )
    return Ensembled(
        path=paths.submission_csv,
        manifest=paths.submission_json,
        metric=metric.name,
        blend=blend,
        rows=len(test),
        shares=_shares(index, final),
        true_score=_true_score(experiment, index.classes, final),
    )


def _open_sample(
    experiment: Experiment, test: Index, classes: tuple[str, ...]
) -> tuple[Sample, Form]:
    config, path = experiment.config, sample_path(experiment.config.data)
    if path is not None:
        sample = read_sample(path, config.data.id)
    else:
        columns = config.data.target or ("label",)
        sample = make_sample(config.data.id, columns, test.ids)
    form = make_form(
        sample,
        experiment.task,
        classes,
        experiment.metric,
        config.submission.write,
        config.data.separator,
    )
    return sample, form


def _manifest(
    experiment: Experiment, plan: FoldPlan, blend: Blend, members: list[Predictions]
) -> dict[str, Any]:
    record = blend.record()
    record["members"] = [
        {"run": name, **{k: v for k, v in member.source.items() if k != "path"}}
        for name, member in zip(blend.members, members, strict=True)
    ]
    return {
        "comp": __version__,
        "metric": experiment.metric.name,
        "plan": plan.fingerprint,
        "index": plan.index_fingerprint,
        "leak": list(plan.leak),
        "blend": record,
        "config": plain(experiment.config),
    }


def _shares(index: Index, final: Answer) -> dict[str, tuple[float, float]]:
    """For each class, the share of training images that have it and of test images given it."""

    def shares(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if labels.ndim == 1:
            return np.bincount(labels, minlength=len(index.classes)) / len(labels)
        return np.asarray(labels.mean(axis=0))

    pairs = zip(index.classes, shares(index.labels), shares(final.labels), strict=True)
    return {name: (float(train), float(test)) for name, train, test in pairs}


def _true_score(experiment: Experiment, classes: tuple[str, ...], final: Answer) -> float | None:
    target = read_answers(experiment.config.data, experiment.task, classes, final.ids)
    if target is None:
        return None
    given = final.probs if experiment.metric.wants == "probs" else final.labels
    assert given is not None, "check_vote refuses a vote without probabilities for such a metric"
    return experiment.metric.score(target, given, len(classes))
