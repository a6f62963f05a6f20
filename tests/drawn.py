"""Predictions that are drawn instead of trained: what the tests of ensembles share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comp.config.loading import make_config
from comp.inference.predictions import Predictions
from comp.stages.ensembling.members import Ground, Model
from comp.stages.experiment import open_experiment, read_plan, read_test_images, read_train
from comp.stages.folds import make_folds


def ground_of(tree: dict[str, Any], *, partial: bool = False) -> Ground:
    """The ground of a toy competition, with a plan that is made here."""
    experiment = open_experiment(make_config(tree))
    make_folds(experiment)
    index = read_train(experiment)
    test = read_test_images(experiment, index.classes)
    return Ground(experiment, index, test, read_plan(experiment, index), partial)


def drawn(ground: Ground, ids: Sequence[str], probs: Any, **source: Any) -> Predictions:
    """Predictions (N, C) or (N, C, H, W) of some images, as a fold of this plan would make them."""
    task = ground.experiment.task
    names = task.column_names(ground.index.classes)
    about = {"plan": ground.plan.fingerprint, **source}
    return Predictions(tuple(ids), np.asarray(probs), names, task.link.name, about)


def model_of(ground: Ground, probs: Any, tests: Any = (), name: str = "toy") -> Model:
    """A model with these out-of-fold rows, in the order of the index."""
    oof = drawn(ground, ground.index.ids, probs, path=name)
    return Model(name, oof, tuple(drawn(ground, ground.test.ids, each) for each in tests))
