"""The metric that a config means: of the table, a formula, or a file."""

from __future__ import annotations

from pathlib import Path

from comp.config.metric_file import is_file
from comp.config.schema import Config
from comp.core.errors import ConfigError, pick
from comp.tasks.kinds import Task
from comp.tasks.metrics import METRICS, Metric, check_metric
from comp.tasks.official.formula import formula_metric, is_formula
from comp.tasks.official.metric import official_metric
from comp.tasks.several.metric import several_metric


def metric_of(config: Config, root: Path, task: Task) -> Metric:
    """The metric of a config. That of a file has to be bound to a solution before it scores.

    Raises ConfigError for a metric that is unknown or does not fit the task.
    """
    name, official = config.metric, config.official
    if task.link.parts and is_file(name):
        raise ConfigError(
            f"metric: {name}: a file knows nothing of several tasks; write a formula of them"
        )
    if task.link.parts:
        return several_metric(name, task, official.better)
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
