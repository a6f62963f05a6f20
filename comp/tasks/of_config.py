"""The kind of task that a config asks for."""

from __future__ import annotations

from dataclasses import replace

from comp.config.schema import Config, DataConfig, ModelConfig
from comp.core.errors import ConfigError, pick
from comp.tasks.kinds import NEW, ORDINAL, TASKS, TOGETHER, Task, number_link
from comp.tasks.several.parts import parts_of, several_link


def task_of(config: Config) -> Task:
    """The kind of task of a config; of numbers with their transform and bounds, of grades as they
    are learned. ConfigError for an unknown one, and for keys of numbers where there are none."""
    data = config.data
    if config.tasks:
        _refuse_of_one(config)
        return replace(TOGETHER, link=several_link(parts_of(config.tasks)))
    task = pick({**TASKS, TOGETHER.name: TOGETHER}, config.task, "task")
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


def _refuse_of_one(config: Config) -> None:
    """ConfigError for keys that are about one kind of answers, where there are several tasks."""
    plain, data = DataConfig(root=""), config.data
    keys = ("bins", "separator", "rename", "blank", "unknown", "soft", "transform", "bounds")
    found = [f"data.{key}" for key in (*keys, "classes", "new", "rows", "extra") if
             getattr(data, key) != getattr(plain, key)]  # fmt: skip
    train, model = config.train, config.model
    others = {
        "data.layout: " + data.layout: data.layout != "csv",
        "train.loss": train.loss != "auto",
        "train.class_weights": train.class_weights != "none",
        "train.pos_weight": train.pos_weight is not None,
        "train.pseudo": train.pseudo is not None,
        "train.teacher": train.teacher is not None,
        "train.clean": train.clean is not None,
        "model.ordinal": model.ordinal != ModelConfig().ordinal,
        "submission.write": config.submission.write != "auto",
    }
    found += [name for name, used in others.items() if used]
    if found:
        raise ConfigError(
            f"{', '.join(found)}: not with task: several, whose tasks say in the list `tasks` what "
            "they are (columns, kind, classes, loss) in one table; leave it out"
        )
