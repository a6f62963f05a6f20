"""`comp report A B`: runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.runs import check_runs
from comp.core.errors import PlanError, UsageError
from comp.ensemble.compare import Scores, judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.report.run.answers import OofAnswers
from comp.report.run.page import gallery_cards
from comp.report.run.versus import Difference, difference, paired
from comp.report.run.versus_page import Blended, Contender, write_versus_page
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment
from comp.stages.reporting.opened import MOST_TUNED, OpenedRun, answers_of, open_run
from comp.stages.reporting.pictures import Pictures
from comp.stages.reporting.report import REPORT

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Versus:
    """The page of several runs: where it is, each run with its answers to the images that all have,
    the difference of each from the first, the blend of all and of all but one; the best run by
    itself and how much better the blend of all is."""

    path: Path
    runs: tuple[Contender, ...]
    differences: tuple[Difference, ...]
    blends: tuple[Blended, ...]
    lead: tuple[str, Difference]
    sentences: tuple[str, ...]


def compare_runs(experiment: Experiment, names: Sequence[str], out: Path | None = None) -> Versus:
    """Write the page of several runs of one competition; missing validation predictions are made.

    names: of two runs at least; the others are compared with the first. Raises UsageError for runs
    that are not of the same images, labels and metric, or of masks, PlanError for a run whose plan
    is gone, RunError where no fold is finished.
    """
    check_runs(names, experiment.workspace.run.parent, experiment.name)
    experiments = [run_experiment(name, experiment) for name in names]
    _refuse_without_plan(experiments)
    opened = [open_run(one) for one in experiments]
    for run in opened[1:]:
        _refuse_other(opened[0], run)
    opened = _on_the_same(opened)
    answers = [answers_of(run) for run in opened]
    runs = [_contender(run, found) for run, found in zip(opened, answers, strict=True)]
    seed = experiment.config.seed
    base = answers[0]
    differences = [difference(base, other, seed) for other in answers[1:]]
    blends, lead = blended(opened[0], runs, seed)
    path = out or _page(opened[0].experiment, names)
    pictures = Pictures(opened[0])
    place = {name: row for row, name in enumerate(opened[0].part.ids)}

    def cards(rows: Sequence[int]) -> list[dict[str, Any]]:
        return gallery_cards(base, rows, lambda row: pictures.picture(place[base.ids[row]]), {})

    said = write_versus_page(path, runs, differences, blends, lead, cards)
    return Versus(path, tuple(runs), tuple(differences), tuple(blends), lead, tuple(said))


def _page(experiment: Experiment, names: Sequence[str]) -> Path:
    return experiment.workspace.run / f"against_{'+'.join(names[1:])[:100]}.html"


def _refuse_without_plan(experiments: Sequence[Experiment]) -> None:
    """PlanError for a run whose plan is gone, before any run is worked through."""
    for one in experiments:
        for path in (one.workspace.plan_json, one.workspace.plan_csv):
            if not path.is_file():
                raise PlanError(
                    f"{path}: no fold plan there, and {one.name} was trained on it. Bring it back "
                    "as it was, or leave that run out"
                )


def _refuse_other(one: OpenedRun, other: OpenedRun) -> None:
    names = f"{one.experiment.name} and {other.experiment.name}"
    for kind in (one, other):
        if kind.experiment.task.spatial:
            raise UsageError(
                f"{names}: masks are not compared image by image here; `comp ensemble --runs` "
                "shows their scores side by side"
            )
    same = (
        ("another metric", one.experiment.metric.name, other.experiment.metric.name),
        ("other classes", one.part.classes, other.part.classes),
    )
    for what, first, second in same:
        if first != second:
            raise UsageError(
                f"{names}: {what} ({first} and {second}). Only runs of the same images, "
                "labels and metric can be compared"
            )
    labels = dict(zip(one.part.ids, one.part.label_texts(), strict=True))
    differ = [
        name
        for name, label in zip(other.part.ids, other.part.label_texts(), strict=True)
        if labels.get(name, label) != label
    ]
    if differ or not {*labels} & {*other.part.ids}:
        what = f"another label for {len(differ)} images" if differ else "no image in common"
        raise UsageError(
            f"{names}: {what}. Only runs of the same images and labels can be compared"
        )


def _on_the_same(opened: Sequence[OpenedRun]) -> list[OpenedRun]:
    """The runs on the images that all of them have, where their scores are those of these."""
    common = set.intersection(*({*run.part.ids} for run in opened))
    return [run if len(run.part) == len(common) else run.on(sorted(common)) for run in opened]


def _contender(run: OpenedRun, found: OofAnswers) -> Contender:
    seconds = [curve.seconds for curve in run.curves]
    known = [value for value in seconds if value is not None]
    total = float(sum(known)) if known and len(known) == len(seconds) else None
    page = run.experiment.workspace.run / REPORT
    return Contender(run.experiment.name, found, total, run.notes, page if page.is_file() else None)


def blended(
    base: OpenedRun, runs: Sequence[Contender], seed: int
) -> tuple[list[Blended], tuple[str, Difference]]:
    """The soft vote of all runs, and of all but one, with what the one adds: the difference between
    the two, from the same draws. Then the best run by itself, and how much better the vote is."""
    whole, answers = _blend(base, runs, seed)
    out = [Blended("", whole, None)]
    for run in runs:
        rest = [other for other in runs if other is not run]
        score, without = _blend(base, rest, seed)
        out.append(Blended(run.name, score, paired(run.found, without, answers, seed)))
    better = max if runs[0].found.metric.greater_is_better else min
    best = better(runs, key=lambda run: run.found.scores.honest)
    own = best.found.honest, best.found.mixed
    return out, (best.name, paired(best.found, own, answers, seed))


def _blend(
    base: OpenedRun, runs: Sequence[Contender], seed: int
) -> tuple[Scores, tuple[Array, float]]:
    evidence, found = base.evidence, runs[0].found
    assert isinstance(evidence, TableEvidence), "runs of masks are refused"
    mine = replace(
        evidence,
        target=found.target,
        fold=found.fold,
        probs=tuple(np.asarray(run.found.probs) for run in runs),
        groups=found.groups,
        ids=found.ids,
        own_folds=tuple(run.found.fold for run in runs),
    )
    tune = base.experiment.config.ensemble.tune and found.probs.size <= MOST_TUNED
    tune = tune and len(np.unique(found.fold)) > 1
    row = judge_row(mine, VOTES["soft"], "equal", Fitting(tune, seed), keep=True)
    assert row.found is not None, "the row keeps its answers"
    return row.scores, (row.found.honest, row.found.mixed)
