"""The probes: each is fitted along a path of strengths, from which cross-fitting takes one.

A probe is a small module from features (B, D) to logits (B, C), so that losses, links, checkpoints
and predictions are those of networks. Every one standardizes the features by its training rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from comp.core import rng
from comp.core.rng import seed_torch
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task
from comp.tasks.losses import LossFunction

_LEAST = 1e-6  # standard deviation of a feature that never changes
_HEAT = 0.07  # temperature of the similarities of neighbours, as DINO's kNN has it
_CLIP = 1e-6  # a share of neighbours never says that something is impossible
_UPDATES = 60  # of L-BFGS, per strength
_BATCH, _RATE = 64, 1e-3  # of the MLP
_SMALL = 0.01  # standard deviation of its last weights, as of `model.init: auto`


@dataclass(frozen=True)
class Rows:
    """What a probe is fitted on.

    `features`  (n, D) float32
    `target`    (n,) or (n, C), as an index has it
    `hidden`, `drop`  units of the hidden layer of an MLP, and the dropout after it
    `draw`      what its random draws are a function of
    """

    features: Tensor
    target: Tensor
    task: Task
    columns: int
    loss: LossFunction
    hidden: int = 512
    drop: float = 0.0
    draw: tuple[int | str, ...] = ()

    def at(self, rows: Any) -> tuple[Tensor, Tensor]:
        """Features and target of some rows."""
        return self.features[rows], self.target[rows]

    def cost(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of the task."""
        return self.loss(logits, self.task.link.loss_target(target, logits))


Path = Callable[[Rows, Sequence[float]], Iterator[nn.Module]]


@dataclass(frozen=True)
class Probe:
    """One kind of probe.

    `what`       what its strength is, for a log
    `strengths`  in the order of the path
    `path`       rows and strengths -> for each strength a fitted module; the next may be the same
                 object, fitted further
    `empty`      a state dict -> a module of these shapes
    """

    what: str
    strengths: tuple[float, ...]
    path: Path
    empty: Callable[[dict[str, Tensor]], nn.Module]


class Scaled(nn.Module):
    """Features less their mean, divided by their deviation and by the root of their number: then
    a row has a length of about one, whatever the network."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, features: Tensor) -> None:
        """Take mean and deviation of these rows."""
        self.mean.copy_(features.mean(dim=0))
        deviation = features.std(dim=0, correction=0)
        alive = deviation > _LEAST
        root = math.sqrt(max(1, int(alive.sum())))
        self.scale.copy_(torch.where(alive, 1 / (deviation.clamp_min(_LEAST) * root), 0.0))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) float32."""
        return (features.float() - self.mean) * self.scale


class Neighbours(nn.Module):
    """The log-odds or log-shares of the classes among the nearest rows.

    A neighbour weighs exp(similarity / 0.07), by the cosine of standardized features; the class
    shares of all rows count as one more neighbour, so that no share is zero.
    """

    bank: Tensor
    cells: Tensor
    known: Tensor
    count: Tensor

    def __init__(self, rows: int, width: int, columns: int, *, softmax: bool) -> None:
        super().__init__()
        self.scaled, self.softmax = Scaled(width), softmax
        for name in ("bank", "cells", "known"):
            shape = (rows, width) if name == "bank" else (rows, columns)
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("count", torch.ones((), dtype=torch.int64))
        self.register_buffer("softmax_link", torch.tensor(softmax))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C) logits."""
        likeness = normalize(self.scaled(features), dim=1) @ self.bank.T
        near, rows = likeness.topk(min(int(self.count), len(self.bank)), dim=1)
        weights = ((near - near[:, :1]) / _HEAT).exp()[:, :, None] * self.known[rows]
        prior = (self.cells * self.known).sum(0) / self.known.sum(0).clamp_min(1)
        total = (weights * self.cells[rows]).sum(1) + prior
        shares = (total / (weights.sum(1) + 1)).clamp(_CLIP, 1 - _CLIP)
        return shares.log() if self.softmax else shares.logit()


class Perceptron(nn.Module):
    """One hidden layer."""

    def __init__(self, width: int, hidden: int, columns: int, drop: float = 0.0) -> None:
        super().__init__()
        self.scaled = Scaled(width)
        self.hidden, self.drop = nn.Linear(width, hidden), nn.Dropout(drop)
        self.layer = nn.Linear(hidden, columns)
        nn.init.trunc_normal_(self.layer.weight, std=_SMALL)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C) logits."""
        inside = self.hidden(self.scaled(features)).relu()
        logits: Tensor = self.layer(self.drop(inside))
        return logits


class Linear(nn.Module):
    """Logits as sums over standardized features."""

    def __init__(self, width: int, columns: int) -> None:
        super().__init__()
        self.scaled, self.layer = Scaled(width), nn.Linear(width, columns)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C) logits."""
        logits: Tensor = self.layer(self.scaled(features))
        return logits


def _logistic(rows: Rows, strengths: Sequence[float]) -> Iterator[nn.Module]:
    """L-BFGS from a strong penalty to a weak one, each from where the last one ended."""
    module = Linear(rows.features.shape[1], rows.columns).to(rows.features.device)
    module.scaled.fit(rows.features)
    inputs = module.scaled(rows.features)
    per_column = 1 if rows.task.link.normalized else rows.columns  # the loss is their mean
    weight, bias = module.layer.weight, module.layer.bias
    for strength in strengths:
        search = torch.optim.LBFGS(
            [weight, bias], max_iter=_UPDATES, line_search_fn="strong_wolfe", history_size=20
        )

        def cost(penalty: float = 0.5 / strength / per_column) -> Tensor:
            search.zero_grad()  # noqa: B023 - it is called before the next strength
            found = rows.cost(inputs @ weight.T + bias, rows.target)
            found = found + penalty * weight.square().sum()
            found.backward()
            return found

        search.step(cost)
        yield module


def _neighbours(rows: Rows, strengths: Sequence[float]) -> Iterator[nn.Module]:
    link = rows.task.link
    count, width = rows.features.shape
    module = Neighbours(count, width, rows.columns, softmax=link.normalized)
    module = module.to(rows.features.device)
    module.scaled.fit(rows.features)
    module.bank.copy_(normalize(module.scaled(rows.features), dim=1))
    cells = link.soft_target(rows.target, rows.columns)
    known = (cells != UNKNOWN).float()
    module.known.copy_(known)
    module.cells.copy_(cells * known)
    for strength in strengths:
        module.count.fill_(int(strength))
        yield module


def _perceptron(rows: Rows, strengths: Sequence[float]) -> Iterator[nn.Module]:
    """AdamW with a constant rate; the strength is the number of updates."""
    seed_torch(*rows.draw, "init")
    module = Perceptron(rows.features.shape[1], rows.hidden, rows.columns, rows.drop)
    module = module.to(rows.features.device)
    module.scaled.fit(rows.features)
    _begin_with_prior(module.layer, rows)
    search = torch.optim.AdamW(module.parameters(), lr=_RATE, weight_decay=0.01, fused=True)
    done = 0
    for strength in strengths:
        module.train()
        while done < strength:
            if rows.drop:
                seed_torch(*rows.draw, "update", done)
            features, target = rows.at(_batch(rows, done))
            search.zero_grad()
            rows.cost(module(features), target).backward()
            search.step()
            done += 1
        yield module.eval()


def _batch(rows: Rows, number: int) -> Tensor:
    """The rows of an update: every pass goes over all of them in an order of its own."""
    per_pass = max(1, len(rows.features) // _BATCH)
    once, place = divmod(number, per_pass)
    order = rng.generator(*rows.draw, "order", once).permutation(len(rows.features))
    return torch.from_numpy(np.array_split(order, per_pass)[place])


def _begin_with_prior(layer: nn.Linear, rows: Rows) -> None:
    """Let the logits begin at the shares of the classes."""
    cells = rows.task.link.soft_target(rows.target, rows.columns)
    known = (cells != UNKNOWN).float()
    shares = (cells * known).sum(0) / known.sum(0).clamp_min(1)
    prior = rows.task.link.prior_logits(shares.cpu().numpy())
    with torch.no_grad():
        layer.bias.copy_(torch.from_numpy(prior))


def _empty_linear(state: dict[str, Tensor]) -> nn.Module:
    columns, width = state["layer.weight"].shape
    return Linear(width, columns)


def _empty_neighbours(state: dict[str, Tensor]) -> nn.Module:
    count, width = state["bank"].shape
    columns = state["cells"].shape[1]
    return Neighbours(count, width, columns, softmax=bool(state["softmax_link"]))


def _empty_perceptron(state: dict[str, Tensor]) -> nn.Module:
    hidden, width = state["hidden.weight"].shape
    return Perceptron(width, hidden, state["layer.weight"].shape[0])


# Strengths: C of the penalty |w|^2 / 2C beside a mean loss, rows of length one; neighbours; updates
PROBES = {
    "logistic": Probe(
        "C", (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 1e5, 1e6), _logistic, _empty_linear
    ),
    "knn": Probe("k", (1, 3, 5, 10, 20, 50, 100, 200), _neighbours, _empty_neighbours),
    "mlp": Probe("updates", (8, 16, 32, 64, 128, 256, 512), _perceptron, _empty_perceptron),
}
