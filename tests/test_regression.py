"""A regression from the table to the submission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import root_mean_squared_error

import comp
from comp.core.errors import ConfigError, DataError


def test_numbers_go_through_everything_and_the_score_is_that_of_scikit_learn(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("regression", 32, data__bounds=[0.0, 1.75], train__epochs=12)
    comp.make_folds(tree, workspace, quiet=True)
    trained = comp.train(tree, workspace, "0..1", quiet=True)
    plan = comp.read_plan(tree, workspace)
    truth = pd.read_csv("input/train.csv", dtype={"id": str}).set_index("id")["label"]
    assert plan.frame["label"].astype(float).to_dict() == truth.to_dict()
    done = comp.ensemble(tree, workspace, quiet=True)
    oof = comp.predict(tree, workspace, "0..1", quiet=True).oof["label"]
    assert done.score == pytest.approx(root_mean_squared_error(truth[oof.index], oof))
    assert done.score < truth.std()  # better than the mean of all
    answers = pd.read_csv("submissions/toy_regression.csv")
    assert list(answers.columns) == ["id", "label"]
    assert answers["label"].between(0, 1.75).all()
    assert answers["label"].nunique() > 1
    best = trained.history.groupby("fold")["rmse"].min()
    assert best.notna().all()
    assert "toy_regression" in "".join(comp.board(workspace, quiet=True).runs["name"])


def test_what_a_network_learns_does_not_depend_on_the_unit(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("regression", train__epochs=1)
    found = []
    for name, factor in (("metres", 1.0), ("millimetres", 1000.0)):
        table = pd.read_csv("input/train.csv", dtype={"id": str})
        table["label"] *= factor
        table.to_csv("input/train.csv", index=False)
        own = {**tree, "name": name}
        comp.make_folds(own, workspace, quiet=True)
        comp.train(own, workspace, "0", quiet=True)
        found.append(comp.predict(own, workspace, "0", quiet=True).oof["label"] / factor)
    assert found[0].to_numpy() == pytest.approx(found[1].to_numpy(), rel=1e-3)


def test_every_loss_and_the_logarithm_train_and_mixup_mixes_numbers(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("regression", train__epochs=1, data__transform="log1p", augment__mixup=0.4)
    comp.make_folds(tree, workspace, quiet=True)
    for loss in ("huber", "gaussian_nll"):
        own = {**tree, "name": loss, "folds": {**tree["folds"], "plan": "toy_regression"}}
        own["train"] = {**tree["train"], "loss": loss}
        history = comp.train(own, workspace, "0", quiet=True).history
        assert np.isfinite(history["train_loss"]).all()
        oof = comp.predict(own, workspace, "0", quiet=True).oof
        assert oof.shape == (12, 1)
        assert (oof > -1).all().all()


def test_what_is_for_classes_is_refused_with_the_way_out(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("regression", train__sampler="balanced")
    comp.make_folds(tree, workspace, quiet=True)
    with pytest.raises(ConfigError, match=r"train.sampler: balanced: for classes only"):
        comp.train(tree, workspace, "0", quiet=True)
    with pytest.raises(ConfigError, match=r"'macro_f1' is defined for.*not for regression"):
        comp.make_folds({**tree, "metric": "macro_f1"}, workspace, quiet=True)
    with pytest.raises(ConfigError, match=r"data.bounds: are for task: regression"):
        wrong = {**tree, "task": "multiclass", "metric": "accuracy"}
        comp.make_folds({**wrong, "data": {**tree["data"], "bounds": [0, 1]}}, workspace)
    lines = Path("input/train.csv").read_text().replace("00003,0.75", "00003,?")
    Path("input/train.csv").write_text(lines)
    with pytest.raises(DataError, match=r"column 'label': 1 cells are no number: \"line 5: '\?'\""):
        comp.make_folds(tree, workspace, quiet=True)
