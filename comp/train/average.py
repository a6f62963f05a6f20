"""The best checkpoints of a fold, and their mean as one network (Izmailov et al. 2018, SWA).

The weights are averaged; batch-norm statistics are measured anew, in one pass over the training
batches. Their average would be of statistics of other networks: the activations of the mean of
some weights are not the mean of their activations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from comp.config.workspace import RunDir
from comp.models.networks import Net
from comp.train import checkpoint
from comp.train.checkpoint import State

Row = dict[str, float]


def top_epochs(history: Sequence[Row], count: int, better: Callable[[Row, Row], bool]) -> list[int]:
    """The epochs of the best `count` rows, the best first. better: new row, old row -> whether."""
    ranked: list[Row] = []
    for row in history:
        place = next((n for n, other in enumerate(ranked) if better(row, other)), len(ranked))
        ranked.insert(place, row)
    return [int(row["epoch"]) for row in ranked[:count]]


def keep_top(run: RunDir, epochs: Sequence[int], epoch: int, state: Callable[[], State]) -> None:
    """Save `state()` as the checkpoint of `epoch` if it is among the best; remove those that are
    not. Said twice, it does nothing more."""
    if epoch in epochs:
        checkpoint.save(state(), run.top(epoch))
    wanted = {run.top(number) for number in epochs}
    for path in run.path.glob("top_*.pt"):
        if path not in wanted:
            path.unlink()


def mean_weights(paths: Sequence[Path]) -> dict[str, Any]:
    """The mean of the weights in some checkpoints, tensor by tensor, in their own types.

    Tensors that are no numbers with a point, such as counters, are those of the first.
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


@torch.no_grad()
def measure_norms(net: Net, batches: Iterable[torch.Tensor]) -> None:
    """Set every batch norm's statistics to the mean over `batches`, uint8 (B, H, W, 3).

    Nothing else changes; dropout is off. A network without batch norms is left alone.
    """
    norms = [part for part in net.module.modules() if isinstance(part, _BatchNorm)]
    norms = [norm for norm in norms if norm.track_running_stats]
    net.module.eval()
    if not norms:
        return
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for batch in batches:
        net.logits(net.to_device(batch))
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
        norm.eval()
