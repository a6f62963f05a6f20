"""`tune`, `run`: what is given a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.api.steady import ConfigLike, as_folder, open_experiment, steady
from comp.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from comp.api.submitting import EnsembleResult


@dataclass(frozen=True)
class TuneResult:
    """A finished search for a better config.

    `trials`    one row per trial, best first: rounds (of 3) that it came through, score, validation
                loss, its settings (a column each), note
    `metric`    what the trials were ranked by
    `gain`      the mean difference on the folds of the comparison, best trial minus given config;
                None where no trial was better
    `spread`    its standard deviation over these folds
    `better`    whether the gain is more than the spread; the given settings are kept otherwise
    `settings`  what the written config changes, key path -> value
    `config`    the config that was written
    `seconds`   what all folds of it take
    """

    trials: pd.DataFrame
    metric: str
    gain: float | None
    spread: float | None
    better: bool
    settings: dict[str, Any]
    config: Path
    seconds: float


def tune(
    config: ConfigLike,
    workspace: str | Path,
    hours: float,
    *,
    out: str | Path | None = None,
    models: Sequence[str] = (),
    trials: int | None = None,
    quiet: bool = False,
) -> TuneResult:
    """Search for a better config, and write it; the time is for the search and for all folds of the
    winner.

    out: the config, `configs/<name>_tuned.yaml` by default, below the workspace; models: other
    networks that may be tried; trials: at most so many.
    An interrupted search goes on with the same call. Raises PlanError without a plan, ConfigError
    without Optuna, TrainError where the time is not enough for one trial.
    """
    _positive(hours)
    with steady(quiet, network=True):
        import pandas as pd

        from comp.stages.search.tune import tune as search

        experiment = open_experiment(config, workspace)
        path = Path(out or Path("configs") / f"{experiment.config.name}_tuned.yaml")
        if path.suffix != ".yaml":
            raise UsageError(f"out={str(out)!r}: a config ends in .yaml")
        found = search(experiment, hours, as_folder(workspace) / path, tuple(models), trials)
        rows = [
            {"rounds": one.rounds, "score": one.score, "valid_loss": one.loss}
            | one.settings
            | {"note": one.note}
            for one in found.tried
        ]
        verdict = found.verdict
        return TuneResult(
            pd.DataFrame(rows),
            found.metric,
            None if verdict is None else verdict.gain,
            None if verdict is None else verdict.spread,
            verdict is not None and verdict.better,
            found.settings,
            found.config,
            found.seconds,
        )


@dataclass(frozen=True)
class RunResult:
    """A folder of data that became a submission.

    `ensemble`   the submission and its score, see `ensemble`
    `config`     the config that was trained, below the workspace
    `decisions`  the file that says what was decided on the way
    `partial`    whether the time was not enough for all folds
    """

    ensemble: EnsembleResult
    config: Path
    decisions: Path
    partial: bool


def run(
    data: str | Path,
    workspace: str | Path,
    hours: float,
    *,
    config: str | Path | None = None,
    sets: Sequence[str] = (),
    quiet: bool = False,
) -> RunResult:
    """From a folder of data to a checked submission in `hours`: init, check, folds, a search where
    there is time for it, training, ensemble. Each step leaves the files of its own function.

    config: an existing config, instead of a new one from the data; sets: values to lay over it, as
    `"model.name=resnet18"`; all paths are below the workspace.
    The same call goes on from what is finished. Raises CheckError where the data have errors.
    """
    _positive(hours)
    with steady(quiet, network=True):
        from comp.api.submitting import as_result
        from comp.stages.run import run as run_all

        done = run_all(
            Path(data),
            hours,
            config=None if config is None else Path(config),
            sets=tuple(sets),
            workspace=as_folder(workspace),
        )
        return RunResult(as_result(done.made), done.config, done.decisions, done.partial)


def _positive(hours: float) -> None:
    if not isinstance(hours, (int, float)) or not 0 < hours < float("inf"):
        raise UsageError(f"hours={hours!r}: give a number above 0")
