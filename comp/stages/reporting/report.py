"""`comp report`: the page of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from comp.core import files
from comp.core.errors import CompError, reason
from comp.core.progress import say
from comp.data.images.reading import read_picture_of
from comp.ensemble.compare import Scores
from comp.ensemble.cross_fit import few_units_text, units_of
from comp.ensemble.mask_evidence import MaskEvidence
from comp.ensemble.rules.regions import neutral_rule
from comp.report.run.answers import OofAnswers
from comp.report.run.headline import sent_text
from comp.report.run.page import MaskPart, RunFacts, Shown, write_run_page
from comp.report.validation_page import validation_parts
from comp.stages.experiment import Experiment
from comp.stages.reporting.bag_pictures import bag_pictures
from comp.stages.reporting.opened import OpenedRun, answers_of, open_run, read_curves
from comp.stages.reporting.pictures import (
    Pictures,
    activation_pictures,
    look_slices,
    mask_activations,
)

REPORT = "report.html"  # in the folder of the run


@dataclass(frozen=True)
class Reported:
    """The page of a run: where it is, the answers that it is about (None for masks), what it shows;
    the scores, and how many independent images or groups their interval is drawn from."""

    path: Path
    found: OofAnswers | None
    shown: Shown
    scores: Scores
    units: int


def report_run(experiment: Experiment, out: Path | None = None, *, maps: bool = True) -> Reported:
    """Write the page of a run; validation predictions that are missing are made first.

    out: the page, by default `report.html` in the folder of the run. maps: with class activation
    maps. Raises RunError where no fold is finished, and what reading data, plan and predictions
    raises.
    """
    opened = open_run(experiment)
    path = out or experiment.workspace.run / REPORT
    files.sweep(experiment.workspace.run)
    facts = facts_of(experiment, opened)
    seed = experiment.config.seed
    if isinstance(opened.evidence, MaskEvidence):
        masks = _masks(opened, opened.evidence, maps=maps)
        shown = write_run_page(path, facts, masks=masks)
        return Reported(path, None, shown, masks.scores, masks.units)
    found, pictures = answers_of(opened), Pictures(opened)
    explain: Callable[[Sequence[int]], Mapping[int, str]] = partial(
        activation_pictures, opened, found
    )
    shown = write_run_page(
        path,
        facts,
        found,
        picture=pictures.picture,
        maps=explain if maps else lambda rows: {},
        bags=bag_pictures(opened, found) if maps else [],
        slices=look_slices(opened, found, pictures.form, seed),
        seed=seed,
    )
    return Reported(path, found, shown, found.scores, found.units)


def facts_of(experiment: Experiment, opened: OpenedRun | None = None) -> RunFacts:
    """What the page tells of a run besides its answers."""
    config = experiment.config
    curves = read_curves(experiment, config.folds.parts) if opened is None else opened.curves
    settings = {
        "model": config.model.name,
        "image": f"{config.image.size} px",
        "augmentation": config.augment.recipe,
        "batch": str(config.train.batch_size),
        "lr": f"{config.train.lr:g}",
    }
    return RunFacts(
        experiment.name,
        config.task,
        experiment.metric.name,
        experiment.metric.greater_is_better,
        settings,
        curves,
        _WITHOUT_ANSWERS if opened is None else opened.notes,
    )


_WITHOUT_ANSWERS = (
    "This page was written when training ended, from the files that were there. `comp report` "
    "predicts the validation images and shows classes, confusions and the worst images too.",
)


def _masks(opened: OpenedRun, evidence: MaskEvidence, *, maps: bool) -> MaskPart:
    row = opened.row
    assert row.found is not None, "the row keeps its answers"
    form = Pictures(opened).form
    counts = evidence.shown(row.vote, row.found)
    parts = validation_parts(
        evidence.index,
        counts,
        lambda number: evidence.masks(row.vote, row.fit, number),
        partial(read_picture_of, form=form),
    )
    worst = [card["id"] for card in parts["kinds"]["worst"]]
    if maps and worst:
        seen = mask_activations(opened, evidence, counts, worst)
        for card in parts["kinds"]["worst"]:
            card["pictures"] += [seen[card["id"]]] if card["id"] in seen else []
    groups, count = evidence.groups, len(evidence.index)
    units = units_of(count, groups)
    kept = not np.array_equal(row.fit.rule, neutral_rule(len(evidence.index.classes)).table())
    sent = evidence.score(row.found.sent)
    return MaskPart(
        row.scores,
        count,
        parts,
        evidence.class_scores(row.found.sent),
        kept,
        units,
        few_units_text(units, groups),
        sent_text(row.scores, sent, row.found.mixed, kept=kept),
    )


def report_training(experiment: Experiment) -> Path | None:
    """The page of a run that has just been trained, from its histories alone; None where a fold is
    not finished or the page cannot be written, which is said: training is done all the same."""
    path = experiment.workspace.run / REPORT
    folds = [experiment.workspace.fold(n) for n in range(experiment.config.folds.parts)]
    if not all(fold.done.is_file() for fold in folds):
        return None
    try:
        write_run_page(path, facts_of(experiment))
    except Exception as problem:  # whatever it is: the folds are whole
        text = str(problem) if isinstance(problem, CompError) else reason(problem)
        say(f"no page of this run: {text}")
        files.remove(path)
        return None
    return path
