"""`comp ensemble` where there is an answer for each pixel: image by image, never all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.workspace import Workspace
from comp.core import files
from comp.core.errors import ConfigError, pick
from comp.core.progress import say
from comp.data.index.index import Index
from comp.ensemble.blend import Blend
from comp.ensemble.compare import Fit, Row, Scores, best_row
from comp.ensemble.cross_fit import bootstrap
from comp.ensemble.rules.region_fit import RegionFit, fit_regions, mean_by_class
from comp.ensemble.rules.regions import RegionRule, decide
from comp.ensemble.votes import VOTES, Vote
from comp.ensemble.weights import WEIGHERS
from comp.report.validation_page import write_mask_page
from comp.stages.ensemble_result import Ensembled, Request, manifest_of, plain_row
from comp.stages.mask_scene import Sampled, Scene, each_row, sample_pixels, scene_of, search_weights
from comp.stages.mask_writing import WRITES, Answers, write_masks
from comp.stages.members import Ground, Model
from comp.stages.submission import Gate

Array = np.ndarray[Any, Any]


def ensemble_masks(
    ground: Ground, request: Request, models: Sequence[Model], gate: Gate, paths: Workspace
) -> Ensembled:
    """Judge votes and weights out of fold, tune the rules of regions, write the submission.

    Raises what `comp.stages.ensemble.ensemble` raises; ConfigError for a vote of ranks, and for
    members from tables.
    """
    experiment, index, test = ground.experiment, ground.index, ground.test
    config, metric = experiment.config, experiment.metric
    vote = pick(VOTES, config.ensemble.vote, "ensemble.vote")
    _refuse(vote, request, config.ensemble.prior is not None)
    writes = "rle" if config.submission.write == "auto" else config.submission.write
    if writes not in WRITES:
        raise ConfigError(f"submission.write: {writes!r} is not for masks; use {', '.join(WRITES)}")
    scene = scene_of(ground, models)
    table = _table(scene, models, request.partial)
    row, fit = next(
        pair for pair in table if (pair[0].vote.name, pair[0].weigher) == _asked(ground)
    )
    rule = RegionRule.of(row.fit.rule)
    blend = _blend(row, models)
    expected = _shares(index, fit.tuned)
    paths.submission_csv.parent.mkdir(parents=True, exist_ok=True)
    files.sweep(paths.submission_csv.parent)
    answers = Answers(ground, models, blend, vote, rule)
    rows = [r for r, _ in table]
    manifest = {
        **manifest_of(
            experiment, ground.plan.fingerprint, ground.plan.index_fingerprint, blend, models
        ),
        "leak": list(ground.plan.leak),
        "covered": len(scene.index),
        "of": len(index),
        "by_class": _plain(index.classes, mean_by_class(fit.honest, metric, len(index.classes))),
        "table": [plain_row(r) for r in rows],
        "expected_shares": expected,
    }
    path, count = write_masks(answers, gate, paths, writes, manifest)
    page = _page(scene, fit, vote, row.fit.weights, rule, experiment.workspace.run)
    say(f"wrote {page}")
    shares = {
        name: (float((index.labels[:, c] > 0).mean()), float(answers.there[c]) / max(1, len(test)))
        for c, name in enumerate(index.classes)
    }
    return Ensembled(
        path=path,
        manifest=paths.submission_json,
        metric=metric.name,
        blend=blend,
        models=tuple(models),
        table=tuple(rows),
        best=best_row(metric, rows),
        covered=len(scene.index),
        of=len(index),
        rows=count,
        shares=shares,
        prior=None,
        true_score=answers.true_score(),
        warnings=tuple(gate.judge(path, expected, len(scene.index))),
    )


def _refuse(vote: Vote, request: Request, prior: bool) -> None:
    if vote.ranks:
        raise ConfigError("ensemble.vote: rank needs all images at once; for masks use another")
    if request.added:
        raise ConfigError("--add: a table cannot hold masks; train the member with comp")
    if prior:
        raise ConfigError("ensemble.prior: is for an answer an image; leave it out")


def _asked(ground: Ground) -> tuple[str, str]:
    config = ground.experiment.config.ensemble
    return config.vote, config.weights


def _table(scene: Scene, models: Sequence[Model], partial_: bool) -> list[tuple[Row, RegionFit]]:
    """Every vote with every kind of weights that can be told apart, each judged."""
    config = scene.ground.experiment.config
    asked = _asked(scene.ground)
    names = [model.name for model in models if model.oof is not None]
    one_fold = partial_ and len(np.unique(scene.fold)) < 2
    pairs = [asked]
    if len(names) > 1:
        votes = [vote.name for vote in VOTES.values() if not vote.ranks]
        weighers = [*WEIGHERS, *([asked[1]] if asked[1] not in WEIGHERS else [])]
        weighers = [w for w in weighers if not (one_fold and w in ("greedy", "optimize"))]
        pairs = [(vote, weigher) for vote in votes for weigher in weighers]
    tuned = config.ensemble.tune and not one_fold
    sampled = sample_pixels(scene) if len(names) > 1 else None
    return [_judged(scene, VOTES[v], w, names, tuned, sampled) for v, w in pairs]


def _judged(
    scene: Scene,
    vote: Vote,
    weigher: str,
    names: Sequence[str],
    tuned: bool,
    sampled: Sampled | None,
) -> tuple[Row, RegionFit]:
    experiment = scene.ground.experiment
    task, metric, classes = experiment.task, experiment.metric, len(scene.index.classes)
    fit_all = partial(
        fit_regions, fold=scene.fold, task=task, metric=metric, classes=classes, each=each_row
    )
    weights = search_weights(weigher, names, vote, scene, sampled, None)
    fit: RegionFit = fit_all(partial(scene.sight, vote, weights), tuned=tuned)
    if weigher in ("greedy", "optimize") and len(names) > 1:
        honest = fit.honest.copy()
        for number in np.unique(scene.fold):
            here = scene.fold == number
            own = search_weights(weigher, names, vote, scene, sampled, number)
            honest[here] = fit_all(partial(scene.sight, vote, own), tuned=tuned).honest[here]
        fit = replace(fit, honest=honest)

    def score(counts: Array) -> float:
        return metric.score(counts, counts, classes)

    low, high = bootstrap(
        metric, fit.honest, fit.honest, classes, scene.index.groups, experiment.config.seed
    )
    scores = Scores(score(fit.raw), score(fit.tuned), score(fit.honest), low, high)
    return Row(vote, weigher, Fit(weights, fit.rule.table()), scores, fit.note), fit


def _blend(row: Row, models: Sequence[Model]) -> Blend:
    judged = [model for model in models if model.oof is not None]
    counts = [len(model.tests) for model in judged]
    weights = np.repeat(row.fit.weights / np.maximum(counts, 1), counts)
    names = tuple(name for model in judged for name in model.member_names)
    blend = Blend(names, row.vote, tuple(weights.tolist()), row.fit.rule, row.scores, row.note)
    return replace(blend, weigher=row.weigher)


def _shares(index: Index, counts: Array) -> dict[str, float]:
    """The share of images in which each class is said to be."""
    own = counts[:, counts.shape[1] - len(index.classes) :]
    said = (own[..., 0] + own[..., 1]) > 0
    return dict(zip(index.classes, said.mean(axis=0).tolist(), strict=True))


def _plain(names: Sequence[str], values: Array) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(float(value), 6)
        for name, value in zip(names, values, strict=True)
    }


def _page(
    scene: Scene, fit: RegionFit, vote: Vote, weights: Array, rule: RegionRule, folder: Path
) -> Path:
    """The page of the worst, median and best out-of-fold images."""
    task, metric = scene.ground.experiment.task, scene.ground.experiment.metric

    def answer(row: int) -> tuple[Array, Array]:
        probs, truth = scene.sight(vote, weights, row)
        return truth.transpose(1, 2, 0), decide(probs, rule, task).transpose(1, 2, 0)

    path = folder / "validation.html"
    write_mask_page(path, scene.index, fit.honest, metric, answer)
    return path
