"""`ensemble`, `submit`, `board`: from predictions to a submission and its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comp.api.steady import ConfigLike, as_folder, open_experiment, steady

if TYPE_CHECKING:
    import pandas as pd

    from comp.stages.ensembling.result import Ensembled


@dataclass(frozen=True)
class EnsembleResult:
    """A submission that was written, and what score to expect of it.

    `path`, `manifest`  the submission and the JSON file beside it
    `submission`  its rows as text, as they were written; None for a zip or a JSON file
    `table`       one row per vote and kind of weights that was compared: vote, weights, raw (with
                  the neutral rule), tuned (on the rows that it is measured on: too high), honest
                  (cross-fitted), low and high (95 % bootstrap interval of honest), note
    `members`     one row per member: name, weight; the weights sum to 1
    `score`       the honest score of the vote that was written, in the unit of `metric`
    `covered`, `of`   training images that it was measured on, and all
    `true_score`  on the test answers where the config knows them, else None
    `warnings`    what to look at before the file is sent
    """

    path: Path
    manifest: Path
    submission: pd.DataFrame | None
    table: pd.DataFrame
    members: pd.DataFrame
    metric: str
    score: float
    covered: int
    of: int
    true_score: float | None
    warnings: tuple[str, ...]


def ensemble(
    config: ConfigLike,
    workspace: str | Path,
    *,
    runs: Sequence[str] = (),
    add: Sequence[str | Path] = (),
    add_kind: str = "auto",
    partial: bool = False,
    out: str | None = None,
    quiet: bool = False,
) -> EnsembleResult:
    """Predict what is missing, compare votes and weights out of fold, write a checked submission.

    runs: names of runs whose folds are the members (that of the config by default); add: tables of
    outside predictions, below the workspace; add_kind: what they hold (probs, logits, labels, or
    auto, which looks); partial: leave unfinished folds out; out: the name of the submission.
    Raises RunError for a fold that is not finished, PlanError and PredictionsError for predictions
    that do not belong together, SubmissionError for a file that would be refused: none is written.
    """
    with steady(quiet, network=True):
        from comp.stages.ensemble import ensemble as run
        from comp.stages.ensembling.result import Request

        experiment = open_experiment(config, workspace)
        added = tuple(experiment.path(path) for path in add)
        made = run(experiment, Request(tuple(runs), added, partial, out, add_kind))
        return as_result(made)


def as_result(made: Ensembled) -> EnsembleResult:
    """What the stage made, as frames."""
    import pandas as pd

    from comp.data.index.data_tables import read_any

    rows = [
        {"vote": row.vote.name, "weights": row.weigher, **vars(row.scores), "note": row.note}
        for row in made.table
    ]
    blend = made.blend
    is_table = made.path.suffix == ".csv"
    return EnsembleResult(
        path=made.path,
        manifest=made.manifest,
        submission=read_any(made.path).frame if is_table else None,
        table=pd.DataFrame(rows),
        members=pd.DataFrame({"member": blend.members, "weight": blend.weights}),
        metric=made.metric,
        score=blend.scores.honest,
        covered=made.covered,
        of=made.of,
        true_score=made.true_score,
        warnings=made.warnings,
    )


@dataclass(frozen=True)
class StackResult:
    """A second level that was fitted.

    `path`   the table for `add` of `ensemble`: id, part (valid, test), probabilities
    `kind`   which kind is in it
    `table`  one row per kind, and the best blend of the same runs: name, raw, tuned, honest, low,
             high
    `gains`  whether it is better than the blend beyond its interval
    """

    path: Path
    kind: str
    table: pd.DataFrame
    gains: bool


def stack(
    config: ConfigLike,
    workspace: str | Path,
    *,
    runs: Sequence[str] = (),
    kind: str = "best",
    facts: bool = False,
    add: Sequence[str | Path] = (),
    out: str | None = None,
    quiet: bool = False,
) -> StackResult:
    """Fit a model over the out-of-fold answers of runs, nested by fold; write its own answers.

    runs, add: as of `ensemble`; kind: logistic, ridge, mlp, lightgbm, or best, which compares the
    first three; facts: let it see width, height and bytes of the images; `data.tabular` names
    columns that it sees. Raises what `ensemble` raises for its members, ConfigError for masks.
    """
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.ensembling.stack import stack_runs

        experiment = open_experiment(config, workspace)
        added = [experiment.path(path) for path in add]
        made = stack_runs(experiment, runs, kind=kind, facts=facts, out=out, added=added)
        rows = {**made.rows, "blend": made.blend}
        table = pd.DataFrame([{"name": name, **vars(row.scores)} for name, row in rows.items()])
        return StackResult(made.path, made.kind, table, made.gains)


@dataclass(frozen=True)
class NeighboursResult:
    """A table of answers by nearest neighbours.

    `path`    the table for `add` of `ensemble`: id, part (valid, test), probabilities
    `score`   of its out-of-fold answers, in the unit of the metric, without a tuned rule
    `factor`  of the cosines in the softmax
    """

    path: Path
    score: float
    factor: float


def neighbours(
    config: ConfigLike,
    workspace: str | Path,
    *,
    out: str | None = None,
    quiet: bool = False,
) -> NeighboursResult:
    """Answer by the nearest training images in what the networks of a run see; write a table.

    Each validation image is compared with the images that its fold was trained on. Raises RunError
    for a fold that is not trained, ConfigError for tasks that are not one of several classes.
    """
    with steady(quiet, network=True):
        from comp.stages.features.neighbours import neighbours as compare

        made = compare(open_experiment(config, workspace), out=out)
        return NeighboursResult(made.path, made.score, made.factor)


@dataclass(frozen=True)
class SubmitResult:
    """A submission that passed the check.

    `path`      the file; `rows` of it
    `warnings`  what to look at before it is sent
    `command`   the command that sends it; None where the config names no site
    `answer`    what the site said; None where it was not sent
    """

    path: Path
    rows: int
    warnings: tuple[str, ...]
    command: str | None
    answer: str | None


def submit(
    config: ConfigLike,
    workspace: str | Path,
    name: str | None = None,
    *,
    message: str | None = None,
    send: bool = False,
    quiet: bool = False,
) -> SubmitResult:
    """Check a submission as the competition would; with `send=True`, send it.

    name: of the submission, or its path below the workspace; that of the config by default.
    Raises SubmissionError for a file that would be refused, UsageError for no such file, and when
    sending ConfigError without `submission.site` and `submission.competition` or without a token.
    """
    with steady(quiet):
        from comp.stages import submission

        experiment = open_experiment(config, workspace)
        wanted = experiment.name if name is None else name
        path = submission.find(wanted, experiment.workspace.root)
        rows, warnings = submission.check_file(experiment, path)
        command = answer = None
        if send or experiment.config.submission.site is not None:
            command, said = submission.send(experiment, wanted, message, yes=send)
            answer = said if send else None
    return SubmitResult(path, rows, tuple(warnings), command, answer)


@dataclass(frozen=True)
class BoardResult:
    """All runs and submissions of a workspace.

    `runs`  one row per run and submission: metric, plan (fingerprint), name, kind ("run" or
            "submission"), raw, honest, low, high, folds (mean of the best epochs), public, private,
            note. Only rows of the same metric and plan can be compared; within them the best comes
            first
    """

    runs: pd.DataFrame


def board(
    workspace: str | Path,
    *,
    page: str | Path | None = None,
    plugins: bool = False,
    quiet: bool = False,
) -> BoardResult:
    """All runs and submissions of a workspace with their scores; UsageError where there are none.

    page: a page of the board to write, below the workspace, with links to the pages of runs.
    plugins: run the plugin files that the configs of runs name; without, a run that needs one
    which is not loaded has no scores. Scores are NaN where they are not known.
    """
    with steady(quiet):
        import pandas as pd

        from comp.stages.board import read_board
        from comp.stages.reporting.board import report_board

        root = as_folder(workspace)
        groups = read_board(root, plugins=plugins)
        if page is not None:
            report_board(groups, root / page, root)
        rows = [
            {"metric": group.metric, "plan": group.plan, **vars(entry)}
            for group in groups
            for entry in group.entries
        ]
        return BoardResult(pd.DataFrame(rows))
