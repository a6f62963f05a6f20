"""Probes: each learns a plain rule, is a function of its draw, and comes back from its state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import TASKS
from comp.tasks.losses import make_loss
from comp.train.probes.kinds import PROBES, Linear, Rows, Scaled

ONE = {"logistic": 1e3, "knn": 5, "mlp": 128}


def drawn(kind: str, count: int = 120, seed: int = 0) -> Rows:
    """Rows of eight features, of which the first say the class; one feature never changes."""
    draw = np.random.default_rng(seed)
    features = draw.normal(0, 1, (count, 8)).astype(np.float32)
    features[:, 7] = 3
    task = TASKS[kind]
    columns = task.columns(2 if kind == "binary" else 3)
    target: Any = (features[:, :3] > 0).astype(np.int64)
    if kind == "multiclass":
        target = features[:, :3].argmax(axis=1)
    if kind == "binary":
        target = target[:, 0]
    loss = make_loss(task.loss, task.link.name)
    return Rows(
        torch.from_numpy(features), torch.from_numpy(target), task, columns, loss, 32, 0.1, (7, "x")
    )


def fitted(name: str, rows: Rows, strengths: tuple[float, ...] | None = None) -> torch.nn.Module:
    module = torch.nn.Module()
    for found in PROBES[name].path(rows, strengths or (ONE[name],)):
        module = found
    return module


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_probe_learns_and_answers_in_the_shape_of_the_task(name: str, kind: str) -> None:
    rows, other = drawn(kind), drawn(kind, 60, seed=1)
    module = fitted(name, rows)
    with torch.inference_mode():
        logits = module(other.features)
    probs = rows.task.link.probs(logits).numpy()
    assert probs.shape == (60, rows.columns)
    right = (rows.task.decide(probs) == other.target.numpy()).mean()
    assert right > 0.6
    assert float(other.cost(logits, other.target)) < 0.95 * float(
        other.cost(torch.zeros_like(logits), other.target)
    )


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_comes_back_from_its_state_bit_for_bit(name: str) -> None:
    rows = drawn("multilabel")
    module = fitted(name, rows)
    state = module.state_dict()
    other = PROBES[name].empty(state)
    other.load_state_dict(state)
    other.eval()
    with torch.inference_mode():
        assert torch.equal(other(rows.features), module(rows.features))


@pytest.mark.parametrize("name", PROBES)
def test_the_same_draw_gives_the_same_probe_whatever_was_drawn_before(name: str) -> None:
    rows = drawn("multiclass")
    first = {k: v.clone() for k, v in fitted(name, rows).state_dict().items()}
    torch.rand(7)
    again = fitted(name, rows).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("name", PROBES)
def test_unknown_cells_teach_nothing(name: str) -> None:
    rows = drawn("multilabel")
    target = rows.target.clone()
    target[::2, 1] = UNKNOWN
    half = Rows(rows.features, target, rows.task, 3, rows.loss, 32, 0.0, (7,))
    module = fitted(name, half)
    with torch.inference_mode():
        logits = module(rows.features)
    assert bool(torch.isfinite(logits).all())
    assert float(((logits[:, 1] > 0) == (rows.target[:, 1] > 0)).float().mean()) > 0.65


def test_a_stronger_penalty_gives_smaller_weights() -> None:
    rows = drawn("binary")
    sizes = []
    for module in PROBES["logistic"].path(rows, (10.0, 1e3, 1e5)):
        assert isinstance(module, Linear)
        sizes.append(float(module.layer.weight.detach().norm()))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 4


def test_scaled_rows_have_a_length_of_about_one_and_no_dead_feature() -> None:
    rows, scaled = drawn("binary"), Scaled(8)
    scaled.fit(rows.features)
    found = scaled(rows.features)
    assert float(found.square().sum(dim=1).mean()) == pytest.approx(1, abs=1e-4)
    assert float(found[:, 7].abs().max()) == 0
