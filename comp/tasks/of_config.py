"""The kind of task that a config asks for."""

from __future__ import annotations

from dataclasses import replace

from comp.config.schema import Config, ModelConfig
from comp.core.errors import ConfigError, pick
from comp.tasks.kinds import NEW, ORDINAL, TASKS, Task, number_link


def task_of(config: Config) -> Task:
    """The kind of task of a config; of numbers with their transform and bounds, of grades as they
    are learned. ConfigError for an unknown one, and for keys of numbers where there are none."""
    task, data = pick(TASKS, config.task, "task"), config.data
    if task.link.measures:
        link = number_link(len(data.target), data.transform, data.bounds)
        return replace(task, link=link)
    if data.transform != "none" or data.bounds is not None:
        raise ConfigError(
            f"data.transform, data.bounds: are for task: regression, not for {task.name}"
        )
    if data.new is not None:
        if task.name != "multiclass":
            raise ConfigError(f"data.new: is for task: multiclass, not for {task.name}")
        task = replace(task, link=NEW)
    if not task.ordered:
        if config.model.ordinal != ModelConfig().ordinal:
            raise ConfigError(f"model.ordinal: is for task: ordinal, not for {task.name}")
        return task
    link, loss = pick(ORDINAL, config.model.ordinal, "model.ordinal")
    return replace(task, link=link, loss=loss)
