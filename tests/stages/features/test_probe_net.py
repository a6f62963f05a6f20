"""The probabilities of a probe are the mean over the views of its features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from comp.config.loading import make_config
from comp.inference.predictions import Predictions
from comp.stages.experiment import open_experiment, read_train
from comp.stages.features.embed import FeatureSource
from comp.stages.predict import predict
from comp.stages.train import train
from comp.train.checkpoints import checkpoint
from comp.train.probes.fold import load_probe


def test_predictions_are_the_mean_over_views(planned: Callable[..., dict[str, Any]]) -> None:
    tree = planned(
        name="p", folds__plan="toy_binary", model__probe="logistic", predict__tta="hflip"
    )
    experiment = open_experiment(make_config(tree))
    train(experiment, "0")
    predict(experiment, "0")
    run, index = experiment.workspace.fold(0), read_train(experiment)
    found = Predictions.load(run.valid)
    probe = load_probe(checkpoint.load(run.best), "logistic")
    source, rows = FeatureSource(experiment, index, index), index.rows(found.ids)
    with torch.inference_mode():
        views = [
            probe(torch.from_numpy(np.array(source.read("train", view).values[rows]))).sigmoid()
            for view in ("id", "flip")
        ]
    assert np.allclose(found.probs, torch.stack(views).mean(dim=0).numpy(), atol=1e-6)
