"""Extra data, pseudo-labels and teachers in a config."""

from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError


def config(data: dict[str, Any] | None = None, **train: Any) -> Any:
    tree = {"name": "x", "task": "binary", "metric": "macro_f1"}
    return make_config({**tree, "data": {"root": "in", **(data or {})}, "train": train})


def test_several_data_sets_may_be_named() -> None:
    made = config({"extra": [{"root": "a"}, {"root": "b", "map": {"x": "y", "z": None}}]})
    assert [extra.root for extra in made.data.extra] == ["a", "b"]
    assert made.data.extra[1].map == {"x": "y", "z": None}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"data": {"extra": [{"root": "a", "share": 1.0}]}}, r"data\.extra\.0\.share: .*less than"),
        ({"data": {"extra": [{"layout": "csv"}]}}, r"data\.extra\.0\.root"),
        ({"data": {"extra": [{"root": "a", "rot": 1}]}}, r"data\.extra\.0\.rot"),
        ({"teacher": {"run": "a", "wait": 1}}, r"train\.teacher\.wait: unknown key; .* 'weight'"),
        ({"pseudo": {"name": "a/b"}}, r"train\.pseudo\.name"),
        ({"teacher": {"run": "a", "weight": 0.0}}, r"train\.teacher\.weight: .*greater than"),
        ({"teacher": {"run": "a", "temperature": 0}}, r"train\.teacher\.temperature"),
    ],
)
def test_values_that_cannot_be_are_refused(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**tree)
