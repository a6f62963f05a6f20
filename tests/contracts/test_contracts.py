"""What every entry of a table must do, built in or registered by a plugin file."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from comp.config import plugins
from comp.config.schema import DataConfig
from comp.core import registry
from comp.data.layouts.layouts import read_index, read_test
from comp.data.loader.recipes import RECIPES, make_recipe
from comp.data.loader.sampler import SAMPLERS
from comp.ensemble.votes import VOTES
from comp.tasks.kinds import CLASS_LINKS, LINKS, TASKS
from comp.tasks.losses import LOSSES, Terms, make_loss
from comp.tasks.metrics import METRICS

PLUGIN = Path(__file__).with_name("my_parts.py")
IMAGE_METRICS = [name for name, metric in METRICS.items() if metric.wants != "counts"]
IMAGE_LOSSES = [name for name, loss in LOSSES.items() if not loss.regions]
NUMBER_LOSSES = [name for name, loss in LOSSES.items() if "identity" in loss.make]


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """The plugin is loaded for these tests alone."""
    plugins.load_files([PLUGIN])
    yield
    registry.forget(str(PLUGIN.resolve()))
    plugins._loaded.clear()


def answers(kind: str, seed: int) -> tuple[Any, Any, Any]:
    """A target (30,) or (30, 4), random probabilities, and those that are right."""
    draw = np.random.default_rng(seed)
    if kind == "class":
        target = draw.integers(0, 4, 30)
        right = np.eye(4)[target]
    elif kind == "numbers":
        target = 10 * draw.random((30, 4))
        return target, target + draw.normal(0, 2, (30, 4)), target
    else:
        target = (draw.random((30, 4)) < 0.4).astype(np.int64)
        right = target.astype(float)
    probs = draw.random((30, 4))
    return target, probs / probs.sum(axis=1, keepdims=True), right


def decided(kind: str, probs: Any) -> Any:
    return probs.argmax(axis=1) if kind == "class" else (probs >= 0.5).astype(np.int64)


@pytest.mark.parametrize("name", [*IMAGE_METRICS, "my_balanced", "my_brier"])
@pytest.mark.parametrize("kind", ["class", "columns", "numbers"])
def test_a_metric_prefers_what_is_right_and_weighs_rows(name: str, kind: str) -> None:
    metric = METRICS[name]
    if kind not in metric.of:
        pytest.skip(f"{name} is not defined for {kind}")
    if name == "top5_accuracy":
        pytest.skip("always 1 with four classes")
    for seed in range(4):
        target, probs, right = answers(kind, seed)
        if metric.wants == "labels":
            probs, right = decided(kind, probs), decided(kind, right)
        best, other = metric.score(target, right, 4), metric.score(target, probs, 4)
        assert metric.better(best, other)
        times = np.random.default_rng(seed).integers(0, 3, 30)
        rows = np.repeat(np.arange(30), times)
        found = metric.weighted(target, probs, 4, times[None].astype(float))[0]
        assert found == pytest.approx(metric.score(target[rows], probs[rows], 4))


LOSS_LINKS = [
    (name, link) for name in IMAGE_LOSSES for link in LOSSES[name].make if link in CLASS_LINKS
]
MINE = [(name, link) for name in ("my_square", "my_dice") for link in CLASS_LINKS]


@pytest.mark.parametrize(("name", "link"), [*LOSS_LINKS, *MINE])
def test_a_loss_is_one_finite_number_that_falls_towards_the_target(name: str, link: str) -> None:
    draw = torch.Generator().manual_seed(0)
    numbers = torch.randint(0, 3, (8,), generator=draw)
    hot = torch.nn.functional.one_hot(numbers, 3)
    loss = make_loss(name, link)
    target = LINKS[link].loss_target(numbers if link == "softmax" else hot, hot.float())
    wrong = torch.randn((8, 3), generator=draw).requires_grad_()
    found = loss(wrong, target)
    assert found.shape == ()
    found.backward()
    assert wrong.grad is not None
    assert torch.isfinite(wrong.grad).all()
    better = wrong.detach() + 2 * (hot.float() - 0.5)
    assert loss(better, target) < found
    soft = loss(wrong.detach(), hot.float())
    assert soft.item() == pytest.approx(found.item(), rel=1e-4)


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_a_loss_of_numbers_falls_towards_the_target_and_takes_micro_batches(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    target, outputs = (3 * torch.randn((8, columns), generator=draw) for columns in (3, 6))
    spread = torch.tensor([0.5, 1.0, 4.0])
    loss = make_loss(name, "identity", Terms(spread=spread))
    outputs.requires_grad_()
    found = loss(outputs, target)
    found.backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    better = outputs.detach().clone()
    better[:, :3] = (better[:, :3] + target) / 2
    assert loss(better, target) < found
    parts = torch.stack([loss(outputs[k : k + 4], target[k : k + 4]) for k in (0, 4)])
    assert parts.mean().item() == pytest.approx(found.item(), rel=1e-5)
    other = make_loss(name, "identity", Terms(spread=10 * spread))
    scaled = torch.cat([10 * outputs[:, :3], outputs[:, 3:]], dim=1)
    assert other(scaled, 10 * target).item() == pytest.approx(found.item(), rel=1e-5)


@pytest.mark.parametrize("link", CLASS_LINKS)
def test_a_registered_loss_of_cells_masks_pixels_and_takes_micro_batches(link: str) -> None:
    draw = torch.Generator().manual_seed(1)
    numbers = torch.randint(0, 3, (4, 5, 6), generator=draw)
    hot = torch.nn.functional.one_hot(numbers, 3).movedim(-1, 1)
    logits = torch.randn((4, 3, 5, 6), generator=draw)
    target = numbers if link == "softmax" else hot.float()
    loss = make_loss("my_square", link)
    whole = loss(logits, target)
    parts = torch.stack([loss(logits[k : k + 2], target[k : k + 2]) for k in (0, 2)])
    assert parts.mean().item() == pytest.approx(whole.item(), rel=1e-5)
    ignored = target.clone()
    ignored[..., 0, 0] = 255
    moved = logits.clone()
    moved[..., 0, 0] += 3
    assert loss(moved, ignored).item() == pytest.approx(loss(logits, ignored).item(), rel=1e-6)


def image() -> Any:
    return np.random.default_rng(3).integers(0, 256, (24, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", [*RECIPES, "my_tint"])
def test_a_recipe_is_a_function_of_the_seed_that_keeps_the_shape(name: str) -> None:
    recipe = make_recipe(name, 24)
    first = [recipe(image(), seed) for seed in range(6)]
    again = [make_recipe(name, 24)(image(), seed) for seed in reversed(range(6))][::-1]
    for one, other in zip(first, again, strict=True):
        assert (one.shape, one.dtype) == ((24, 24, 3), np.uint8)
        assert (one == other).all()
    assert name == "none" or any((one != image()).any() for one in first)


def test_a_worker_that_is_spawned_has_the_recipes_of_plugins(tmp_path: Path) -> None:
    recipe = make_recipe("my_tint", 24)
    state = tmp_path / "recipe.pickle"
    state.write_bytes(pickle.dumps((recipe, image())))
    code = (
        "import pathlib, pickle, sys, numpy\n"
        "recipe, image = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "numpy.save(sys.argv[2], recipe(image, 5))\n"
    )
    out = tmp_path / "out.npy"
    subprocess.run([sys.executable, "-c", code, str(state), str(out)], check=True)
    assert (np.load(out) == recipe(image(), 5)).all()


@pytest.mark.parametrize("name", [*SAMPLERS, "my_half"])
def test_a_sampler_gives_places_that_depend_on_the_generator_alone(name: str) -> None:
    target = np.arange(40) % 7 % 3
    orders = [SAMPLERS[name](target, 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert (orders[0] == orders[1]).all()
    assert len(orders[0]) == len(orders[2])
    assert (orders[0] >= 0).all()
    assert (orders[0] < 40).all()


@pytest.mark.parametrize("name", [*VOTES, "my_squares"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "ordinal", "multilabel", "regression"])
def test_a_vote_gives_probabilities_and_minds_no_order(name: str, kind: str) -> None:
    task, vote = TASKS[kind], VOTES[name]
    if task.link.measures and not vote.measures:
        pytest.skip(f"{name} is for probabilities")
    draw = np.random.default_rng(0)
    columns = task.columns(2 if kind == "binary" else 3)
    members = [draw.random((20, columns)) for _ in range(3)]
    if task.link.normalized:
        members = [probs / probs.sum(axis=1, keepdims=True) for probs in members]
    weights = np.array([0.5, 0.3, 0.2])
    rule = task.link.neutral(columns)
    rules = rule if vote.gives_probs else np.tile(rule, (3, 1))
    found = vote.merge(members, weights, task, rules)
    turned = vote.merge(members[::-1], weights[::-1], task, rules)
    assert np.allclose(found.labels, turned.labels, rtol=1e-12)
    assert found.labels.dtype == (np.float64 if task.link.measures else np.int64)
    if found.probs is None:
        assert not vote.gives_probs
        return
    assert ((found.probs >= 0) & (found.probs <= 1)).all()
    if task.link.normalized:
        assert found.probs.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)


@pytest.mark.parametrize("name", ["csv", "my_layout"])
def test_a_layout_gives_sorted_ids_with_files_and_classes(
    toy: Callable[..., dict[str, Any]], name: str
) -> None:
    toy("multiclass")
    data = DataConfig(root="input", layout=name, target=("label",))
    index = read_index(data, TASKS["multiclass"])
    assert index.ids == tuple(f"{number:05d}" for number in range(24))
    assert index.classes == ("0", "1", "2")
    assert index.labels.tolist() == [number % 3 for number in range(24)]
    assert all(path.is_file() for path in index.paths)
    assert len(read_test(data, TASKS["multiclass"], index.classes)) == 6
