"""The section `tasks` of a config."""

from __future__ import annotations

from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.tasks.of_config import task_of

SEVERAL: dict[str, Any] = {
    "name": "s",
    "task": "several",
    "metric": {"formula": "kind - 0.1*size"},
    "tasks": [
        {"name": "kind", "kind": "binary", "metric": "accuracy"},
        {"name": "size", "kind": "regression", "columns": ["w", "h"], "metric": "mae"},
    ],
    "data": {"root": "in"},
}


def test_the_target_is_the_columns_of_the_tasks() -> None:
    config = make_config(SEVERAL)
    assert config.data.target == ("kind", "w", "h")
    assert [part.name for part in task_of(config).link.parts] == ["kind", "size"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": []}, "task: several and a list of tasks"),
        ({"task": "binary"}, "task: several and a list of tasks"),
        ({"data": {"root": "in", "target": ["kind"]}}, "data.target: with tasks"),
    ],
)
def test_tasks_and_the_rest_of_the_config_agree(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config({**SEVERAL, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"root": "in", "layout": "folders"}},
        {"data": {"root": "in", "transform": "log1p"}},
        {"train": {"loss": "mse"}},
        {"train": {"class_weights": "inverse"}},
    ],
)
def test_what_is_about_one_kind_of_answers_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="not with task: several"):
        task_of(make_config({**SEVERAL, **change}))
