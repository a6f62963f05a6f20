"""The tasks that one network has, and the link that puts their blocks of columns together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from comp.config.tasks import TaskConfig
from comp.core.errors import ConfigError, first, repeated
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import ORDINAL, SEVERAL, TASKS, Link, Part, Task, one_hot
from comp.tasks.losses import check_loss, without_rows
from comp.tasks.ranges import OF_CLASS

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

_YES_OR_NO = ("0", "1")


def parts_of(tasks: Sequence[TaskConfig]) -> tuple[Part, ...]:
    """The tasks of a config, each with its columns of what the network gives.

    Raises ConfigError for names or columns that two have, for a task without the classes or the
    columns that its kind needs, and for a loss that is not of its kind.
    """
    names, columns = [one.name for one in tasks], [c for one in tasks for c in one.of]
    for what, found in (("name", repeated(names)), ("column", repeated(columns))):
        if found:
            raise ConfigError(f"tasks: two have the {what} {first(found)}; each has its own")
    parts, low = list[Part](), 0
    for one in tasks:
        part = _part(one, low)
        parts.append(part)
        low = part.block.stop
    return tuple(parts)


def _part(one: TaskConfig, low: int) -> Part:
    task, where = TASKS[one.kind], f"tasks: {one.name}"
    if task.ordered:
        link, usual = ORDINAL["classes"]
        task = replace(task, link=link, loss=usual)
    if task.target_ndim == 1 and len(one.of) > 1:
        raise ConfigError(
            f"{where}: kind {one.kind} has one column of labels, not {first(one.of)}; make each a "
            "task of its own"
        )
    classes = one.classes or (_YES_OR_NO if task.class_limit == 2 else ())
    if task.target_ndim == 2:
        if classes:
            raise ConfigError(f"{where}: classes: kind {one.kind} has one for each column")
        classes = one.of
    if len(classes) < 2 and task.target_ndim == 1:
        raise ConfigError(
            f"{where}: kind {one.kind} needs its classes, such as classes: [a, b, c]"
            f"{', the lowest first' if task.ordered else ''}"
        )
    if task.class_limit is not None and len(classes) > task.class_limit:
        raise ConfigError(f"{where}: kind binary has two classes, not {len(classes)}")
    odd = [name for name in classes if OF_CLASS in name and task.link.measures]
    if odd:
        raise ConfigError(f"{where}: the column {odd[0]!r} contains {OF_CLASS!r}; rename it")
    if repeated(classes):
        raise ConfigError(f"{where}: classes names {first(repeated(classes))} twice")
    loss = task.loss if one.loss == "auto" else one.loss
    _check_loss(where, loss, task)
    return Part(one.name, task, one.of, classes, low, loss, one.weight, one.metric)


def _check_loss(where: str, loss: str | dict[str, float], task: Task) -> None:
    try:
        check_loss(loss, task.link.family)
    except ConfigError as problem:
        raise ConfigError(f"{where}: {str(problem).removeprefix('train.')}") from problem
    whole = without_rows(loss)
    if whole or loss == "gaussian_nll":
        why = f"{first(whole)} is no mean over images" if whole else "it has two outputs a number"
        raise ConfigError(f"{where}: loss: {loss}: not for several tasks: {why}; use another")


def column_names(part: Part) -> tuple[str, ...]:
    """What its columns are called among those of all tasks: `kind=cat`; of numbers their own."""
    if part.task.link.measures:
        return part.classes
    classes = part.classes[-1:] if part.task.class_limit == 2 else part.classes
    return tuple(f"{part.name}{OF_CLASS}{name}" for name in classes)


def known_rows(part: Part, target: Array) -> Array:
    """(N,) bool: the images whose label of this task is known. target: (N, C) of all tasks."""
    known = np.isfinite(target[:, part.block])
    partly = part.task.target_kind == "columns"
    return np.asarray(known.any(axis=1) if partly else known.all(axis=1))


def own_target(part: Part, target: Array) -> Array:
    """The labels of images that are known to this task, in the form of a task alone: (n,) class
    numbers, (n, c) of 0, 1 and UNKNOWN, or numbers. target: (n, C) of all tasks."""
    own = target[:, part.block]
    if part.task.link.measures:
        return np.asarray(own)
    if part.task.target_ndim == 2:
        return np.where(np.isfinite(own), own, UNKNOWN).astype(np.int64)
    found = own[:, 0] if part.task.class_limit == 2 else own.argmax(axis=1)
    return np.asarray(found, dtype=np.int64)


def as_columns(part: Part, labels: Array) -> Array:
    """(n, c) float64: labels of this task in the form of a task alone, in its columns."""
    if part.task.target_ndim == 2:
        found = np.asarray(labels, dtype=np.float64)
        return found if part.task.link.measures else np.where(found == UNKNOWN, np.nan, found)
    if part.task.class_limit == 2:
        return np.asarray(labels, dtype=np.float64)[:, None]
    return np.asarray(one_hot(labels, len(part.classes)), dtype=np.float64)


def several_link(parts: tuple[Part, ...]) -> Link:
    """The link of several tasks: each block of columns by the link of its task.

    A rule is the rules of the tasks one after the other. What is `shown` is (N, 2 C): the
    probabilities or numbers, then the decisions, 0 and 1 for classes.
    """

    def probs(logits: Tensor) -> Tensor:
        from torch import cat

        return cat([part.task.link.probs(logits[:, part.block]) for part in parts], dim=1)

    def decide(values: Array, rule: Array) -> Array:
        found = [
            as_columns(part, part.task.decide(values[:, part.block], rule[part.block]))
            for part in parts
        ]
        return np.concatenate(found, axis=1)

    def neutral(_: int) -> Array:
        rules = [p.task.link.neutral(p.task.columns(len(p.classes))) for p in parts]
        return np.concatenate(rules).astype(np.float64)

    def shown(values: Array, rule: Array) -> Array:
        return np.concatenate([values, decide(values, rule)], axis=1)

    return replace(SEVERAL, probs=probs, decide=decide, neutral=neutral, shown=shown, parts=parts)


def units_of(parts: Sequence[Part], target: Array) -> tuple[Array, Array]:
    """(C,) shift and scale of what the network begins with: mean and standard deviation of
    numbers, the prior logit and 1 of classes. target: (N, C) of the training rows."""
    shift, scale = np.zeros(target.shape[1]), np.ones(target.shape[1])
    for part in parts:
        own = target[known_rows(part, target), part.block]
        if not len(own):
            continue
        if part.task.link.measures:
            spread = own.std(axis=0)
            shift[part.block], scale[part.block] = own.mean(axis=0), np.where(spread > 0, spread, 1)
            continue
        known = np.isfinite(own)
        shares = np.where(known, own, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        shift[part.block] = part.task.link.prior_logits(shares)
    return shift, scale
