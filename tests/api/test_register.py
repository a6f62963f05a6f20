"""Entries of one's own are in the tables under their names, by a call or as a decorator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pandas as pd
import pytest
import torch

import comp
from comp.config.schema import DataConfig
from comp.core import registry
from comp.core.errors import CompError, ConfigError, DataError, TrainError
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


def order(places: Any) -> Any:
    comp.register_sampler("mine", lambda target, strength, generator: places)
    return SAMPLERS["mine"](np.zeros(4, int), 1.0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([1.5, 2], r"sampler 'mine': it gives float64 of shape \(2,\), not a row of integers"),
        ([[0, 1]], r"int64 of shape \(1, 2\)"),
        ([], "float64 of shape"),
        ([0, 4], "its places go from 0 to 4; there are 4 training rows"),
        ([-1, 2], "its places go from -1 to 2"),
    ],
)
def test_a_sampler_gives_places_of_training_rows(places: Any, message: str) -> None:
    with pytest.raises(TrainError, match=message):
        order(places)
    assert order([3, 3]).tolist() == [3, 3]


def test_a_recipe_gives_transforms_that_keep_the_shape_and_names_itself_when_one_fails() -> None:
    image = np.zeros((12, 12, 3), np.uint8)
    comp.register_recipe("small", lambda size: [A.Resize(8, 8)])
    with pytest.raises(
        TrainError, match=r"recipe 'small': .* \(8, 8, 3\) for images uint8 of shape"
    ):
        make_recipe("small", 12)(image, 0)
    with pytest.raises(TrainError, match=r"recipe 'small': .* \(8, 8, 3\)"):
        make_recipe("small", 12).with_mask(image, image[..., :1], 0)

    def torn(image: Any, **_: Any) -> Any:
        raise ValueError("boom")

    comp.register_recipe("torn", lambda size: [A.Lambda(image=torn, p=1)])
    with pytest.raises(TrainError, match="recipe 'torn': Lambda: ValueError: boom"):
        make_recipe("torn", 12)(image, 0)
    comp.register_recipe("bad", lambda size: [A.HorizontalFlip(), 3])
    with pytest.raises(TrainError, match="recipe 'bad': it gives 3, not a list of albumentations"):
        make_recipe("bad", 12)


def test_a_vote_gives_a_number_for_each_number() -> None:
    link, half = TASKS["multilabel"].link, np.full((2, 3), 0.5)
    comp.register_vote("mine", lambda p: p.sum(axis=1), lambda m: m * np.nan)
    with pytest.raises(CompError, match=r"vote 'mine': `transform` gives float64 of shape \(2,\)"):
        VOTES["mine"].transform(half)
    with pytest.raises(
        CompError, match="vote 'mine': `inverse` gives values that are not a number"
    ):
        VOTES["mine"].inverse(half, link)


def test_what_fails_in_a_layout_or_a_loss_names_it(tmp_path: Path) -> None:
    comp.register_layout("mine", lambda root, data: pd.read_csv(root / "nope.csv"))
    data = DataConfig(root=str(tmp_path), layout="mine")
    with pytest.raises(DataError, match=r"layout 'mine' \(test_register\.py, line \d+\): FileNot"):
        read_index(data, TASKS["multiclass"])

    def torn(logits: Any, target: Any) -> Any:
        raise torch.OutOfMemoryError("cuda") if len(logits) > 1 else ValueError("boom")

    comp.register_loss("torn", torn)
    loss = make_loss("torn", "sigmoid")
    with pytest.raises(TrainError, match=r"loss 'torn' \(test_register\.py, line \d+\): .*boom"):
        loss(torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(torch.OutOfMemoryError):  # training goes on with smaller batches
        loss(torch.zeros(2, 1), torch.zeros(2, 1))


@pytest.mark.parametrize("kind", ["metric", "loss", "recipe", "sampler", "layout", "vote"])
def test_what_cannot_be_called_is_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"register_{kind}: 'z': give a function, not 5"):
        getattr(comp, f"register_{kind}")("z", 5)
