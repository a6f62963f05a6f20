"""Soft targets: fold k of the teacher, its temperature and its weight."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.config.sources import TeacherConfig
from comp.core.errors import RunError
from comp.data.index.index import Index
from comp.inference.predictions import Predictions
from comp.stages.experiment import open_experiment, read_plan, read_train
from comp.stages.extras.teacher import own_targets, soft_targets, softened, teacher_probs
from comp.tasks.kinds import TASKS

Toy = Callable[..., dict[str, Any]]


def ask(toy: Toy, fold: int = 0, run: str = "toy_binary", name: str = "student") -> Predictions:
    over = {"name": name, "folds__plan": "toy_binary", "train__teacher": {"run": run}}
    experiment = open_experiment(make_config(toy(**over)))
    index = read_train(experiment)
    return teacher_probs(experiment, index, read_plan(experiment, index), fold)


def test_the_teacher_is_asked_about_the_training_part_alone(
    finished: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = dict(
        line.strip().split(",")[:2]
        for line in Path("folds/toy_binary.csv").read_text().splitlines()
    )
    found = ask(finished)
    assert {plan[name] for name in found.ids} == {"1"}
    assert found.source["fold"] == 0
    assert "asking the teacher toy_binary about 12 training images" in capsys.readouterr().err
    again = ask(finished)  # kept in the folder of the fold
    assert "asking" not in capsys.readouterr().err
    assert (np.asarray(again.probs) == np.asarray(found.probs)).all()


def test_targets_are_mixed_and_unknown_cells_stay_unknown() -> None:
    names = ("a", "b", "c")
    index = Index(names, (Path(),) * 3, ("x", "y"), np.array([[1, 0], [0, -1], [1, 1]]))
    taught = Predictions(("a", "b"), np.array([[0.5, 0.5], [0.9, 0.4]]), ("x", "y"), "sigmoid")
    teacher = TeacherConfig(run="t", weight=0.25)
    found = soft_targets(own_targets(index, 2), index, taught, teacher, TASKS["multilabel"])
    assert found == pytest.approx(np.array([[0.875, 0.125], [0.225, -1], [1, 1]]))


def test_shares_of_a_table_are_the_targets() -> None:
    shares = np.array([[0.3, 0.7], [0.9, 0.1]], np.float32)
    index = Index(("a", "b"), (Path(),) * 2, ("x", "y"), np.array([1, 0]), shares=shares)
    assert own_targets(index, 2).tolist() == shares.tolist()
    assert own_targets(index, 1).tolist() == shares[:, 1:].tolist()  # binary has one column


def test_a_temperature_divides_the_logits() -> None:
    logits = np.array([[2.0, -1.0, 0.5]])
    softmax = np.exp(logits) / np.exp(logits).sum()
    half = np.exp(logits / 2) / np.exp(logits / 2).sum()
    assert softened(softmax, 2.0, TASKS["multiclass"]) == pytest.approx(half)
    sigmoid = 1 / (1 + np.exp(-logits))
    assert softened(sigmoid, 4.0, TASKS["multilabel"]) == pytest.approx(
        1 / (1 + np.exp(-logits / 4))
    )
    assert softened(logits, 4.0, TASKS["regression"]) is logits


def test_a_teacher_that_has_seen_validation_images_is_refused(finished: Toy) -> None:
    done = Path("runs/toy_binary/fold_0/done.json")
    done.write_text(json.dumps({**json.loads(done.read_text()), "plan": "f" * 64}))
    with pytest.raises(RunError, match="was trained with plan ffffffff, .*has seen validation im"):
        ask(finished)
    done.unlink()
    with pytest.raises(RunError, match="'toy_binary': fold 0 is not trained to its end"):
        ask(finished)
    for path in Path("runs/toy_binary").glob("fold_*/config.yaml"):
        path.write_text(path.read_text().replace("boxes: null", "boxes: b.csv"))
    with pytest.raises(RunError, match=r"with data.boxes: b\.csv, this run with None"):
        ask(finished)
    with pytest.raises(RunError, match="'toy_binary' is this run"):
        ask(finished, name="toy_binary")
