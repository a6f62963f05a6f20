"""The score of several tasks: a formula of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.core.errors import ConfigError, pick
from comp.tasks.kinds import Part, Task
from comp.tasks.metrics import METRICS, Metric, check_metric
from comp.tasks.official.formula import Formula
from comp.tasks.several.parts import known_rows, own_target

Array = np.ndarray[Any, Any]


def metric_of_part(part: Part, name: str | None = None) -> Metric:
    """The metric of one task: its own, or `name`; ConfigError where it does not fit."""
    name = part.metric if name is None else name
    known = next((known for known in METRICS if known.replace(".", "_") == name), name)
    fitting = {n: m for n, m in METRICS.items() if part.task.target_kind in m.of}
    try:
        metric = METRICS.get(known) or pick(fitting, name, "metric")
        check_metric(metric, part.task)
    except ConfigError as problem:
        raise ConfigError(f"tasks: {part.name}: {problem}") from problem
    return metric


def several_metric(text: str, task: Task, better: str) -> Metric:
    """The metric of a formula of the tasks: a name is a task, by its metric, or `task_metric`.

    It takes what the link shows, (N, 2 C) probabilities and decisions, or (N, C) probabilities,
    which the neutral rule decides. An image counts for the tasks whose label is known. better:
    which way is up where one task pulls up as it gets better, and another down.
    Raises ConfigError for what is no such formula.
    """
    parts = task.link.parts
    own = {part.name: metric_of_part(part) for part in parts}
    formula = Formula.of(text)
    named = {name: _named(text, name, parts) for name in formula.names}

    def weighted(target: Array, answer: Array, _: int, weights: Array) -> Array:
        columns = target.shape[1]
        if answer.shape[1] == columns:
            answer = task.link.shown(answer, task.link.neutral(columns))
        values = {
            name: score_of_part(part, metric, target, answer, weights)
            for name, (part, metric) in named.items()
        }
        return formula.values(values, len(weights))

    metrics = {name: metric for name, (_, metric) in named.items()}
    return Metric(
        name=text,
        weighted=weighted,
        wants="probs",
        greater_is_better=formula.rises(metrics, better),
        of=(task.target_kind,),
        parts=tuple(own.values()),
    )


def score_of_part(
    part: Part, metric: Metric, target: Array, answer: Array, weights: Array
) -> Array:
    """(R,) the scores of one task over the images that it knows. target: (N, C); answer: (N, 2 C),
    see `several_metric`; weights: (R, N)."""
    known, columns = known_rows(part, target), target.shape[1]
    block, given = part.block, answer[:, :columns]
    if metric.wants == "labels":
        given = answer[:, columns:]
    found = given[known, block]
    if metric.wants == "labels":
        found = own_target(part, given[known])
    classes = max(2, len(part.classes)) if part.task.target_ndim == 1 else len(part.classes)
    return metric.weighted(own_target(part, target[known]), found, classes, weights[:, known])


def _named(text: str, name: str, parts: Sequence[Part]) -> tuple[Part, Metric]:
    """The task that a name in the formula is about, and the metric."""
    for part in sorted(parts, key=lambda part: -len(part.name)):
        if name == part.name:
            return part, metric_of_part(part)
        if name.startswith(f"{part.name}_"):
            return part, metric_of_part(part, name.removeprefix(f"{part.name}_"))
    examples = ", ".join(f"{part.name} or {part.name}_{part.metric}" for part in parts)
    raise ConfigError(f"metric: {text!r}: {name} is no task; write {examples}")
