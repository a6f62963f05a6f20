"""Grades from the table to the submission."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import comp
from comp.core.errors import ConfigError, DataError

WAYS = ("regression", "coral", "classes")


def test_grades_go_through_everything_however_they_are_learned(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("ordinal", train__epochs=4, augment__mixup=0.1)
    comp.make_folds(tree, workspace, quiet=True)
    truth = pd.read_csv("input/train.csv", dtype={"id": str}).set_index("id")["label"]
    for way in WAYS:
        own = {**tree, "name": way, "model": {**tree["model"], "ordinal": way}}
        own["folds"] = {**tree["folds"], "plan": "toy_ordinal"}
        comp.train(own, workspace, "0..1", quiet=True)
        oof = comp.predict(own, workspace, "0..1", quiet=True).oof
        assert list(oof.columns) == ["0", "1", "2"]
        assert oof.sum(axis=1).to_numpy() == pytest.approx(np.ones(24), abs=1e-5)
        if way == "regression":  # a number between two neighbours
            assert ((oof > 0).sum(axis=1) <= 2).all()
        done = comp.ensemble(own, workspace, quiet=True)
        rounded = np.rint(oof.to_numpy() @ np.arange(3)).astype(int)
        scores = json.loads(done.manifest.read_text())["blend"]["scores"]
        kappa = cohen_kappa_score(truth[oof.index], rounded, weights="quadratic")
        assert scores["raw"] == pytest.approx(kappa)
    together = comp.ensemble(own, workspace, runs=list(WAYS), quiet=True)
    assert set(together.table["vote"]) >= {"soft", "hard", "median", "trimmed"}
    answers = pd.read_csv(together.path, dtype=str)
    assert set(answers["label"]) <= {"0", "1", "2"}
    assert set(comp.board(workspace, quiet=True).runs["name"]) >= {*WAYS}


def test_what_grades_cannot_be_is_refused_with_the_way_out(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("ordinal")
    wrong = {**tree, "task": "multiclass", "model": {**tree["model"], "ordinal": "coral"}}
    with pytest.raises(ConfigError, match=r"model.ordinal: is for task: ordinal"):
        comp.make_folds(wrong, workspace, quiet=True)
    comp.make_folds(tree, workspace, quiet=True)
    smooth = {**tree, "train": {**tree["train"], "label_smoothing": 0.1}}
    with pytest.raises(ConfigError, match=r"label_smoothing: not with model.ordinal: regression"):
        comp.train(smooth, workspace, "0", quiet=True)
    words = Path("input/train.csv").read_text()
    for number, word in enumerate(("mild", "bad", "worst")):
        words = words.replace(f",{number}\n", f",{word}\n")
    Path("input/train.csv").write_text(words)
    with pytest.raises(DataError, match=r"'bad', 'mild', 'worst' are no numbers.*data.classes"):
        comp.make_folds(tree, workspace, quiet=True)
    told = {**tree, "data": {**tree["data"], "classes": ["mild", "bad", "worst"]}}
    plan = comp.make_folds({**told, "name": "told"}, workspace, quiet=True)
    assert [name for name in plan.balance if name != "images"][-3:] == ["mild", "bad", "worst"]
