"""Entries of one's own are in the tables under their names, by a call or as a decorator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import comp
from comp.config.schema import DataConfig
from comp.core import registry
from comp.core.errors import ConfigError
from comp.data.layouts.layouts import LAYOUTS, read_index, read_test
from comp.data.loader.recipes import RECIPES, make_recipe
from comp.data.loader.sampler import SAMPLERS
from comp.ensemble.votes import VOTES
from comp.tasks.kinds import TASKS
from comp.tasks.losses import LOSSES, make_loss
from comp.tasks.metrics import METRICS


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test registers is taken out after it."""
    yield
    registry.forget(registry.PROGRAM)


def share(target: Any, answer: Any, sample_weight: Any) -> float:
    return float((np.asarray(target == answer) * sample_weight).sum() / sample_weight.sum())


def test_a_function_is_registered_by_a_call_or_a_decorator_and_comes_back() -> None:
    assert comp.register_metric("mine", share, of=["class"])(share) is share
    assert METRICS["mine"].score(np.array([0, 1, 1]), np.array([0, 1, 0]), 2) == 2 / 3

    @comp.register_metric("other", of=["class"])
    def other(target: Any, answer: Any, sample_weight: Any) -> float:
        return 1.0

    assert other(0, 0, 0) == 1.0
    assert METRICS["other"].score(np.array([0]), np.array([1]), 2) == 1.0


def test_a_metric_says_what_it_wants_and_which_way_is_up() -> None:
    comp.register_metric("mine", share, wants="probs", greater_is_better=False, of=["columns"])
    metric = METRICS["mine"]
    assert (metric.wants, metric.greater_is_better, tuple(metric.of)) == (
        "probs", False, ("columns",),
    )  # fmt: skip
    assert metric.better(0.1, 0.2)


def test_a_loss_is_for_the_links_that_it_names() -> None:
    comp.register_loss("mine", lambda logits, target: (logits - target) ** 2, links=["sigmoid"])
    logits, target = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    assert make_loss("mine", "sigmoid")(logits, target) == 0.5
    assert [*LOSSES["mine"].make] == ["sigmoid"]
    comp.register_loss("whole", lambda logits, target: logits.sum(), whole_batch=True)
    assert make_loss("whole", "sigmoid")(logits, target) == 1.0


def test_a_recipe_and_a_sampler_are_used_as_they_are() -> None:
    comp.register_recipe("mine", lambda size: [])
    image = np.zeros((8, 8, 3), np.uint8)
    assert (make_recipe("mine", 8)(image, 1) == image).all()

    @comp.register_sampler("mine")
    def last_first(target: Any, strength: float, generator: Any) -> Any:
        return np.arange(len(target))[::-1]

    assert SAMPLERS["mine"](np.zeros(3), 1.0, np.random.default_rng(0)).tolist() == [2, 1, 0]


def test_a_vote_is_a_mean_on_another_scale() -> None:
    comp.register_vote("mine", np.square, np.sqrt)
    members = [np.array([[0.6]]), np.array([[0.8]])]
    task = TASKS["binary"]
    found = VOTES["mine"].merge(members, np.ones(2), task, task.link.neutral(1))
    assert found.probs is not None
    assert found.probs.tolist() == [[pytest.approx(np.sqrt(0.5))]]
    comp.register_vote("plain")
    found = VOTES["plain"].merge(members, np.ones(2), task, task.link.neutral(1))
    assert found.probs is not None
    assert found.probs.tolist() == [[pytest.approx(0.7)]]


def test_a_layout_gives_the_training_images_and_names_the_test_folder(
    toy: Callable[..., dict[str, Any]],
) -> None:
    toy("binary", 4)

    @comp.register_layout("mine", test_images="test")
    def layout(root: Path, data: DataConfig) -> pd.DataFrame:
        table = pd.read_csv(root / data.train_csv, dtype=str)
        return table.assign(path="train/" + table["id"] + ".png")

    data = DataConfig(root="input", layout="mine", target=("label",), test_images="nowhere")
    index = read_index(data, TASKS["binary"])
    assert (index.ids, index.labels.tolist()) == (
        ("00000", "00001", "00002", "00003"),
        [0, 1, 0, 1],
    )
    assert len(read_test(data, TASKS["binary"], index.classes)) == 6
    assert layout(Path("input"), data).columns.tolist() == ["id", "label", "path"]


@pytest.mark.parametrize(
    ("register", "table", "name"),
    [
        (comp.register_metric, METRICS, "accuracy"),
        (comp.register_loss, LOSSES, "bce"),
        (comp.register_recipe, RECIPES, "light"),
        (comp.register_sampler, SAMPLERS, "balanced"),
        (comp.register_vote, VOTES, "soft"),
        (comp.register_layout, LAYOUTS, "csv"),
    ],
)
def test_what_is_built_in_keeps_its_name(register: Any, table: Any, name: str) -> None:
    before = table[name]
    what = register.__name__
    with pytest.raises(ConfigError, match=f"{what}: the name '{name}' is taken: it is built in"):
        register(name, lambda *given, **more: 1.0)
    assert table[name] is before
