"""`report`: the page of a run or of several side by side, as frames too; `watch`: one look at
trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.api.steady import ConfigLike, as_config, as_folder, open_experiment, steady

if TYPE_CHECKING:
    import pandas as pd

    from comp.report.live.rows import LiveRun
    from comp.stages.reporting.report import Reported
    from comp.stages.reporting.versus import Versus


@dataclass(frozen=True)
class ReportResult:
    """A page that was written, and its figures. Frames are empty where a page has no such part.

    `path`     the HTML file
    `summary`  what it says in sentences; `hints` what to try next
    `classes`  one row per class: support, given, precision, recall, f1, auc, average_precision,
               threshold (NaN where none); of numbers one per column: mean, spread, bias, mae, rmse,
               r2, correlation; of several runs, of every run after the first: run, name, images,
               first, second, gain
    `pairs`    the classes that are confused most: truth, said, count, share of the class of truth
    `slices`   scores by fold, size, shape, brightness: kind, name, images, score, low, high, the
               share that is wrong, units (images, or groups where there are any)
    `images`   the worst and the most doubted images: id, truth, answer, badness (one minus the
               probability of the truth; of numbers the error in usual errors), wrong, fold
    `runs`     of several runs, one row each: name, raw, tuned, honest, low, high, gain over the
               first with gain_low and gain_high (95 %), share of the draws in which it is better,
               adds (what it adds to the blend of all) with adds_low and adds_high
    """

    path: Path
    summary: tuple[str, ...]
    hints: tuple[str, ...]
    classes: pd.DataFrame
    pairs: pd.DataFrame
    slices: pd.DataFrame
    images: pd.DataFrame
    runs: pd.DataFrame


def report(
    config: ConfigLike,
    workspace: str | Path,
    names: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    maps: bool = True,
    quiet: bool = False,
) -> ReportResult:
    """Write the page of a run, or with several names the page that compares them with the first.

    names: of runs in the workspace; that of the config by default. Validation predictions that are
    missing are made. out: the page, below the workspace; by default in the folder of the run.
    maps: with class activation maps, where pytorch-grad-cam is installed.
    Raises RunError where no fold is finished, UsageError for runs that cannot be compared.
    """
    with steady(quiet, network=True):
        from comp.stages.ensembling.members import run_experiment
        from comp.stages.reporting.report import report_run
        from comp.stages.reporting.versus import compare_runs

        experiment = open_experiment(config, workspace)
        path = None if out is None else experiment.path(out)
        if len(names) > 1:
            return _of_several(compare_runs(experiment, names, path))
        if names:
            experiment = run_experiment(names[0], experiment)
        return _of_one(report_run(experiment, path, maps=maps))


def _of_one(made: Reported) -> ReportResult:
    found, shown = made.found, made.shown
    pairs, images = [], []
    if found is not None:
        pairs = [
            {
                "truth": found.classes[pair.truth],
                "said": found.classes[pair.said],
                "count": pair.count,
                "share": pair.share,
            }
            for pair in shown.pairs
        ]
        images = [
            {
                "id": found.ids[row],
                "truth": found.truth_text(row),
                "answer": found.answer_text(row),
                "badness": float(found.badness[row]),
                "wrong": bool(found.wrong[row]),
                "fold": int(found.fold[row]),
            }
            for row in shown.gallery
        ]
    frames = {
        "classes": [vars(row) for row in shown.classes],
        "pairs": pairs,
        "slices": [vars(part) for part in shown.slices],
        "images": images,
        "runs": [],
    }
    return _result(made.path, shown.sentences, shown.hints, frames)


def _of_several(made: Versus) -> ReportResult:
    from comp.report.run.versus import class_gaps

    first, *others = made.runs
    differences = dict(zip([run.name for run in others], made.differences, strict=True))
    adds = {blend.without: blend.adds for blend in made.blends if blend.adds is not None}
    runs = []
    for run in made.runs:
        row: dict[str, Any] = {"name": run.name, **vars(run.found.scores)}
        gain = differences.get(run.name)
        if gain is not None:
            row |= {"gain": gain.gain, "gain_low": gain.low, "gain_high": gain.high}
            row["share"] = gain.share
        if run.name in adds:
            one = adds[run.name]
            row |= {"adds": one.gain, "adds_low": one.low, "adds_high": one.high}
        runs.append(row)
    classes = [
        {"run": run.name, **vars(gap), "gain": gap.gain}
        for run in others
        for gap in class_gaps(first.found, run.found)
    ]
    frames = {"classes": classes, "pairs": [], "slices": [], "images": [], "runs": runs}
    return _result(made.path, made.sentences, (), frames)


def _result(
    path: Path,
    summary: Sequence[str],
    hints: Sequence[str],
    frames: dict[str, list[dict[str, Any]]],
) -> ReportResult:
    import pandas as pd

    tables = {name: pd.DataFrame(rows) for name, rows in frames.items()}
    return ReportResult(path, tuple(summary), tuple(hints), **tables)


@dataclass(frozen=True)
class WatchResult:
    """Runs as their files say that they are now.

    `folds`    one row per fold and refit: run, name, state (waiting, training, validation, stopped,
               done or damaged), epochs (finished), of, step, steps, best, best_epoch, loss, lr,
               speed (images per second), left (seconds), memory, device_memory (bytes), held (the
               process at work), note
    `history`  one row per fold and finished epoch: run, fold, epoch (counted from 1) and what
               history.csv holds
    `summary`  a sentence per run
    """

    folds: pd.DataFrame
    history: pd.DataFrame
    summary: tuple[str, ...]


def watch(config: ConfigLike, workspace: str | Path, names: Sequence[str] = ()) -> WatchResult:
    """Look once at runs in training, from their files; nothing is written, and no torch is needed.

    names: of runs in the workspace; that of the config by default, which has no rows of history
    where it has not begun. Raises UsageError for a run that is not there.
    """
    with steady(True):
        from comp.stages.watching.watch import line_of, look, readers_of

        root = as_folder(workspace)
        chosen = None if names else as_config(config, root)
        runs = look(readers_of(names, chosen, root, wait=False))
    return _watched(runs, tuple(line_of(run) for run in runs))


_WATCHED = (
    *("name", "state", "epochs", "of", "step", "steps", "best", "best_epoch", "loss", "lr"),
    *("speed", "left", "memory", "device_memory", "held", "note"),
)


def _watched(runs: Sequence[LiveRun], summary: tuple[str, ...]) -> WatchResult:
    import pandas as pd

    folds, history = [], []
    for run in runs:
        for fold in run.folds:
            folds.append({"run": run.name, **{name: getattr(fold, name) for name in _WATCHED}})
            if fold.epochs:
                rows = pd.DataFrame(dict(fold.history)).assign(epoch=range(1, fold.epochs + 1))
                rows.insert(0, "fold", fold.name)
                rows.insert(0, "run", run.name)
                history.append(rows)
    table = pd.DataFrame(folds, columns=["run", *_WATCHED])
    empty = pd.DataFrame(columns=["run", "fold", "epoch"])
    return WatchResult(table, pd.concat(history, ignore_index=True) if history else empty, summary)
