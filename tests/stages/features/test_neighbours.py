"""`comp neighbours`: answers by the nearest training images, out of fold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

import comp
from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.stages.experiment import open_experiment
from comp.stages.features.neighbours import nearest, neighbours, softmax


def unit(draw: np.random.Generator, rows: int) -> np.ndarray:
    found = draw.normal(size=(rows, 6)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_nearest_image_of_each_class_is_found_over_all_pairs() -> None:
    draw = np.random.default_rng(1)
    images, known, target = unit(draw, 1030), unit(draw, 40), draw.integers(0, 4, 40)
    target[target == 2] = 3
    found = nearest(images, known, target, 5)
    cosines = images @ known.T
    for number in range(5):
        own = cosines[:, target == number]
        expected = own.max(axis=1) if own.shape[1] else np.full(1030, -1.0)
        assert found[:, number] == pytest.approx(expected, abs=1e-6)


def test_far_classes_get_little() -> None:
    probs = softmax(40 * np.array([[0.9, 0.8, -1.0]]))
    assert probs.sum() == pytest.approx(1)
    assert probs[0, 0] == pytest.approx(1 / (1 + np.exp(-4)))


def test_the_table_is_a_member_and_holds_no_answer_from_the_image_itself(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("multiclass", 24)
    labels = pd.read_csv("input/train.csv", dtype=str)
    wrong = labels.index % 6 == 5  # images that look like another class
    labels.loc[wrong, "label"] = [str((int(cell) + 1) % 3) for cell in labels["label"][wrong]]
    labels.to_csv("input/train.csv", index=False)
    comp.make_folds(tree, workspace, quiet=True)
    comp.train(tree, workspace, "0..1", quiet=True)
    made = comp.neighbours(tree, workspace, quiet=True)
    assert made.path == workspace / "stacks/toy_multiclass_neighbours.csv"
    table = pd.read_csv(made.path, dtype={"id": str})
    valid = table[table["part"] == "valid"].set_index("id")
    truth = pd.read_csv("input/train.csv", dtype=str).set_index("id")["label"]
    names = [name for name in table.columns if name not in ("id", "part")]
    assert sorted(valid.index) == sorted(truth.index)
    assert valid[names].sum(axis=1).to_numpy() == pytest.approx(np.ones(24), abs=1e-5)
    said = np.array(names)[valid[names].to_numpy().argmax(axis=1)]
    expected = f1_score(truth[valid.index], said, average="macro", labels=sorted({*truth}))
    assert made.score == pytest.approx(expected, abs=1e-9)
    # with itself among its neighbours an image would always be its own class
    assert (said != truth[valid.index]).any()
    done = comp.ensemble(tree, workspace, add=[made.path], out="both", quiet=True)
    assert any("toy_multiclass_neighbours" in name for name in done.members["member"])


def test_other_tasks_are_refused(toy: Callable[..., dict[str, Any]], workspace: Path) -> None:
    tree = toy("regression")
    with pytest.raises(ConfigError, match="comp neighbours: for one of several classes"):
        neighbours(open_experiment(make_config(tree)))
