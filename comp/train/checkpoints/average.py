"""The mean of the best checkpoints of a fold as one network (Izmailov et al. 2018, SWA).

The weights are averaged; batch-norm statistics are measured again by torch's `update_bn`, in one
pass over the training batches. The average of the statistics would be wrong: the activations of
averaged weights are not the average of the activations.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from comp.core.progress import say
from comp.core.rng import seed_torch
from comp.data.loader.loader import Loader
from comp.models.networks import Net
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.best import top_epochs
from comp.train.checkpoints.saving import weights_only
from comp.train.job import Job
from comp.train.train_state import TrainState
from comp.train.validate import validate


def average_best(
    job: Job, state: TrainState, loader: Loader, pause: Callable[[], None]
) -> dict[str, Any] | None:
    """Write the mean of the best checkpoints; for the manifest, its epochs and its score.

    None where one checkpoint is kept. pause: see `validate`.
    """
    count = job.config.train.top_k
    if count < 2:
        return None
    epochs = top_epochs(state.history, count, job.metric)
    if not epochs:
        return None
    net = replace(state.eval_net, module=copy.deepcopy(state.eval_net.module))
    net.module.load_state_dict(mean_weights([job.run.top(epoch) for epoch in epochs]))
    seed_torch(job.config.seed, "average", job.fold)
    measure_norms(net, (images for images, _ in loader.epoch(job.config.train.epochs)))
    result = validate(job, state, net, pause)
    saved = {**weights_only(job, state), "model": net.module.state_dict()}
    checkpoint.save(saved, job.run.average)
    listed = ", ".join(str(epoch + 1) for epoch in sorted(epochs))
    scores = {"valid_loss": result.loss, job.metric.name: result.score}
    say(
        f"{job.name}  mean of epochs {listed}: valid {result.loss:.4f}  "
        f"{job.metric.name} {result.score:.4f}"
    )
    finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
    return {"epochs": sorted(epochs), **finite}


def mean_weights(paths: Sequence[Path]) -> dict[str, Any]:
    """The mean of the weights in some checkpoints, tensor by tensor, in their own types.

    Tensors of integers, such as counters, are those of the first.
    """
    states = [checkpoint.load(path)["model"] for path in paths]
    out = {}
    for name, value in states[0].items():
        if value.is_floating_point():
            stack = torch.stack([state[name].double() for state in states])
            out[name] = stack.mean(dim=0).to(value.dtype)
        else:
            out[name] = value
    return out


def measure_norms(net: Net, batches: Iterable[torch.Tensor]) -> None:
    """Set every batch norm's statistics to the mean over `batches`, uint8 (B, H, W, 3).

    Nothing else changes; dropout is off. A network without batch norms is left alone.
    """
    net.module.eval()
    update_bn(batches, _OnlyNorms(net).eval())


class _OnlyNorms(nn.Module):
    """A network as `update_bn` wants it: it takes the batches of a loader, and training mode means
    that batch norms gather statistics, while dropout stays off."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net, self.module = net, net.module

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net.logits(self.net.to_device(images))

    def train(self, mode: bool = True) -> _OnlyNorms:
        self.training = mode
        for part in self.module.modules():
            if isinstance(part, _BatchNorm):
                part.train(mode)
        return self
