"""The probe of a fold, ready to predict from the features of its network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from comp.core.errors import RunError
from comp.inference.outputs import Output
from comp.models.device import Device
from comp.stages.experiment import Experiment
from comp.stages.features.embed import FeatureSource, mean_of, view_names
from comp.train.checkpoints.checkpoint import Saved
from comp.train.probes.fold import load_probe

Array = np.ndarray[Any, Any]

_ROWS = 4096  # predicted at once


class ProbeNet:
    """What predicts in the place of a network: the mean over the views of `predict.tta` of the
    probe's probabilities, or one answer from the features of all views of `model.views`."""

    def __init__(
        self,
        path: Path,
        saved: Saved,
        experiment: Experiment,
        features: FeatureSource,
        device: Device,
    ) -> None:
        """path: of the checkpoint. Raises RunError for a checkpoint that is no such probe."""
        self.path, self.experiment, self.features, self.device = path, experiment, features, device
        self.module = load_probe(saved, str(experiment.config.model.probe))
        self.module = self.module.to(device.torch_device)
        self.weights = saved.get("features")

    @torch.inference_mode()
    def pieces(self, part: str, rows: Array, output: Output, tta: str) -> Iterator[Array]:
        """See `comp.inference.predict.predict_pieces`. part: train or test; rows: of its index.

        Raises RunError where the features were made by a network of other weights.
        """
        task = self.experiment.task
        if self.experiment.config.model.views == "none":
            answers = [[self.features.read(part, view)] for view in view_names(tta)]
        else:  # one answer, from the mean over all views
            answers = [self.features.seen(part)]
        for found in itertools.chain.from_iterable(answers):
            if found.weights != self.weights:
                raise RunError(
                    f"{self.path}: fitted on features of other weights than those in "
                    f"{found.folder}. Bring these weights of {self.experiment.config.model.name} "
                    "back, or fit the fold again with `comp train --restart`."
                )
        for begin in range(0, len(rows), _ROWS):
            some = rows[begin : begin + _ROWS]
            probs = [
                task.link.probs(self.module(self._tensor(mean_of(views, some))))
                for views in answers
            ]
            mean = torch.stack(probs).mean(dim=0).cpu().numpy()
            yield output.keep(mean, some)

    def _tensor(self, values: Array) -> torch.Tensor:
        return torch.from_numpy(np.array(values, dtype=np.float32)).to(self.device.torch_device)
