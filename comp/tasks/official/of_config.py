"""The metric that a config means: of the table, a formula, or a file."""

from __future__ import annotations

from pathlib import Path

from comp.config.schema import Config
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError, pick
from comp.core.progress import note
from comp.tasks.kinds import Task
from comp.tasks.metrics import METRICS, Metric, check_metric
from comp.tasks.official.formula import formula_metric, is_formula
from comp.tasks.official.metric import official_metric

_told: set[tuple[Path, str]] = set()


def is_file(name: str) -> bool:
    """Whether the name of a metric is a file."""
    return name.endswith(".py") and name not in METRICS


def with_file_digest(config: Config, root: Path) -> Config:
    """The config with the SHA-256 of its metric file, which travels into runs and submissions.

    Raises ConfigError for a file that is missing, and for options of it without a file.
    """
    if not is_file(config.metric):
        if config.official.arguments:
            raise ConfigError(
                f"official.arguments: are for a metric file; metric is {config.metric!r}"
            )
        return config
    path = root / config.metric
    if not path.is_file():
        raise ConfigError(
            f"metric: {config.metric}: no such file; it is looked for at {path.absolute()}"
        )
    digest = digest_file(path)
    if (path.resolve(), digest) not in _told:  # a workspace may be a stranger's
        _told.add((path.resolve(), digest))
        note(
            f"this config runs the Python file {config.metric} (metric); {config.official.better} "
            "scores are better (official.better)"
        )
    official = config.official.model_copy(update={"sha256": digest})
    return config.model_copy(update={"official": official})


def metric_of(config: Config, root: Path, task: Task) -> Metric:
    """The metric of a config. That of a file has to be bound to a solution before it scores.

    Raises ConfigError for a metric that is unknown or does not fit the task.
    """
    name, official = config.metric, config.official
    if is_file(name):
        if task.spatial:
            raise ConfigError(f"metric: {name}: files are for answers per image, not for masks")
        wants = "labels" if official.wants == "auto" else official.wants
        return official_metric(
            name,
            root / name,
            task,
            wants=wants,
            better=official.better,
            arguments=official.arguments,
            seconds=official.seconds,
        )
    if is_formula(name):
        return formula_metric(name, task, official.better)
    metric = pick(METRICS, name, "metric")
    check_metric(metric, task)
    return metric
