"""The kind of task that a config asks for."""

from __future__ import annotations

import pytest
from toys import toy_tree

from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.tasks.kinds import TASKS
from comp.tasks.of_config import task_of


def test_a_task_is_looked_up_and_numbers_get_their_link() -> None:
    assert task_of(make_config(toy_tree("binary"))) is TASKS["binary"]
    assert task_of(make_config(toy_tree("regression"))).link.measures


def test_keys_of_numbers_are_refused_elsewhere() -> None:
    with pytest.raises(ConfigError, match="are for task: regression, not for binary"):
        task_of(make_config(toy_tree("binary", data__transform="log1p")))
    with pytest.raises(ConfigError, match="unknown task 'binery'"):
        task_of(make_config(toy_tree("binary", task="binery")))
