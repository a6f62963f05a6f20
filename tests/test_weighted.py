"""A column of weights, from the table to the score of the submission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, mean_absolute_error

import comp
from comp.core.errors import ConfigError, DataError, PlanError


def weigh(values: Callable[[int], float]) -> pd.Series[float]:
    """Write a column of weights into the toy's table; by id."""
    table = pd.read_csv("input/train.csv", dtype={"id": str})
    table["w"] = [values(row) for row in range(len(table))]
    table.to_csv("input/train.csv", index=False)
    return table.set_index("id")["w"]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_scores_are_those_of_scikit_learn_with_sample_weights(
    toy: Callable[..., dict[str, Any]], workspace: Path, kind: str
) -> None:
    tree = toy(kind, 32, data__weight="w")
    if kind == "regression":
        tree["metric"] = "mae"
    weights = weigh(lambda row: [0.0, 1.0, 5.0, 0.5, 2.0][row % 5])
    comp.make_folds(tree, workspace, quiet=True)
    history = comp.train(tree, workspace, "0..1", quiet=True).history
    assert np.isfinite(history["train_loss"]).all()
    done = comp.ensemble(tree, workspace, quiet=True)
    oof = comp.predict(tree, workspace, "0..1", quiet=True).oof
    names = ["bright", "odd"] if kind == "multilabel" else ["label"]
    truth = pd.read_csv("input/train.csv", dtype={"id": str}).set_index("id").loc[oof.index, names]
    own = weights[oof.index]
    if kind == "regression":
        expected = mean_absolute_error(truth, oof, sample_weight=own)
        plain = mean_absolute_error(truth, oof)
    else:
        said = oof.to_numpy() >= 0.5
        if kind == "multiclass":
            truth = truth["label"]
            said = oof.columns[oof.to_numpy().argmax(axis=1)]
            expected = f1_score(truth.astype(str), said, average="macro", sample_weight=own)
            plain = f1_score(truth.astype(str), said, average="macro")
        else:
            expected = f1_score(truth, said, average="macro", sample_weight=own)
            plain = f1_score(truth, said, average="macro")
    raw = done.table.set_index(["vote", "weights"]).loc[("soft", "equal"), "raw"]
    assert raw == pytest.approx(expected, abs=2e-4)
    assert abs(expected - plain) > 1e-3


def test_images_of_no_weight_are_not_learned_from(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    """The labels of images of weight 0 may say anything: the network is the same."""
    tree = toy("binary", 32, data__weight="w", train__epochs=1, model__init="default")
    weigh(lambda row: float(row % 4 != 3))
    comp.make_folds(tree, workspace, quiet=True)
    comp.train(tree, workspace, "0", quiet=True)
    first = comp.predict(tree, workspace, "0", quiet=True).oof
    table = pd.read_csv("input/train.csv", dtype={"id": str})
    turned = table["w"] == 0
    table.loc[turned, "label"] = 1 - table.loc[turned, "label"]
    table.to_csv("input/train.csv", index=False)
    with pytest.raises(PlanError, match="8 ids have another label"):
        comp.train(tree, workspace, "0", quiet=True)
    other = {**tree, "name": "turned"}
    fold = pd.read_csv("folds/toy_binary.csv", dtype={"id": str}).set_index("id")["fold"]
    table["fold"] = table["id"].map(fold)
    table.to_csv("input/train.csv", index=False)
    other["data"] = {**tree["data"], "fold": "fold"}
    comp.make_folds(other, workspace, quiet=True)
    comp.train(other, workspace, "0", quiet=True)
    second = comp.predict(other, workspace, "0", quiet=True).oof
    pd.testing.assert_frame_equal(first, second)


def test_micro_batches_have_the_gradient_of_the_whole(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("regression", 24, data__weight="w", train__epochs=1, augment__mixup=0.3)
    tree["model"] = {"name": "test_vit", "pretrained": False}  # without BatchNorm
    tree["image"] = {"size": 160}
    weigh(lambda row: 1.0 + row % 3)
    comp.make_folds(tree, workspace, quiet=True)
    found = []
    for micro in (None, 4):
        own = {**tree, "name": f"micro_{micro}", "folds": {**tree["folds"], "plan": tree["name"]}}
        own["train"] = {**tree["train"], "micro_batch": micro}
        comp.train(own, workspace, "0", quiet=True)
        found.append(comp.predict(own, workspace, "0", quiet=True).oof.to_numpy())
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_what_cannot_be_weighed_says_so(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("binary", 24, data__weight="w")
    with pytest.raises(DataError, match=r"data.weight: no column 'w'"):
        comp.make_folds(tree, workspace, quiet=True)
    weigh(lambda row: 1.0)
    comp.make_folds(tree, workspace, quiet=True)
    with pytest.raises(ConfigError, match=r"train.loss: 'soft_f1' is no mean over images"):
        comp.train({**tree, "train": {**tree["train"], "loss": "soft_f1"}}, workspace, "0")
    with pytest.raises(ConfigError, match=r"data.weight: not with model.probe"):
        comp.train({**tree, "model": {**tree["model"], "probe": "knn"}}, workspace, "0")


def test_a_plan_knows_the_weights_that_it_was_made_with(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("binary", 24, data__weight="w")
    weigh(lambda row: 1.0 + row % 2)
    comp.make_folds(tree, workspace, quiet=True)
    assert list(comp.read_plan(tree, workspace).frame.columns) == ["fold", "group", "label"]
    weigh(lambda row: 1.0 + (row % 2) * (row > 1))
    with pytest.raises(PlanError, match="1 ids have another share or weight: '00001'"):
        comp.read_plan(tree, workspace)


def test_a_plan_knows_the_shares_that_are_learned(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("multiclass", 24)
    table = pd.read_csv("input/train.csv", dtype={"id": str})
    names = sorted({*table["label"]})
    for place, name in enumerate(names):
        table[f"{name}"] = [0.8 if row % 3 == place else 0.1 for row in range(len(table))]
    table.drop(columns="label").to_csv("input/train.csv", index=False)
    tree["data"] |= {"target": [str(name) for name in names], "soft": "learn"}
    comp.make_folds(tree, workspace, quiet=True)
    assert comp.read_plan(tree, workspace).count == 2
