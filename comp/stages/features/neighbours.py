"""`comp neighbours`: classes by the nearest training images in what the networks of a run see.

The vector that the last layer of a fold's network gets is the embedding of an image. An image is as
near to a class as to its nearest training image, by the cosine; a softmax of these, times a factor,
are probabilities. Validation images are compared with the images that their fold was trained on, so
that the answers are out of fold; the factor is that with the lowest log loss on the other folds.

It writes stacks/<name>.csv, a member for `comp ensemble --add`, as `comp stack` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from comp.core.errors import ConfigError
from comp.core.progress import track
from comp.data.folds.held_out import learned, new_target
from comp.data.loader.batches import eval_batches
from comp.ensemble.stacking.nested import log_cost
from comp.models.heads import head_of
from comp.models.networks import Net
from comp.stages.ensembling.members import Ground
from comp.stages.ensembling.stack import table_path, write_member
from comp.stages.experiment import Experiment, held_classes
from comp.stages.predict import Predictor, open_predictor

Array = np.ndarray[Any, Any]

FACTORS = (5.0, 10.0, 20.0, 40.0, 80.0)  # of the cosines
_BLOCK = 1024  # images that are compared at once
_FAR = -1.0  # the cosine to a class without an image


@dataclass(frozen=True)
class NeighbourTable:
    """What was written: the table, the score of its out-of-fold answers with the neutral rule, and
    the factor of the cosines."""

    path: Path
    metric: str
    score: float
    factor: float


def neighbours(experiment: Experiment, *, out: str | None = None) -> NeighbourTable:
    """Compare images with the training images of each fold, and write the table.

    Raises ConfigError for tasks that are not one of several classes, RunError for a fold that is
    not trained, ModelError for a network without a last layer of its own.
    """
    config, task = experiment.config, experiment.task
    if task.link.family != "softmax" or task.spatial or config.model.probe is not None:
        raise ConfigError(
            "comp neighbours: for one of several classes (task: multiclass), by networks that are "
            "trained"
        )
    predictor = open_predictor(experiment)
    index, plan = predictor.index, predictor.plan
    held = held_classes(experiment, index)
    target, fold = np.asarray(index.labels), plan.fold[np.argsort(plan.ids, kind="stable")]
    near = np.full((len(index), len(index.classes)), _FAR, dtype=np.float32)
    tests = []
    for number in range(plan.count):
        known, valid = index.rows(plan.train(number)), index.rows(plan.valid(number))
        if held is not None:
            known = learned(target, known, held[number])
        net = _network(predictor, number)
        name = f"fold {number}: embeddings"
        own = _embedded(net, predictor, "valid", np.concatenate([known, valid]), name)
        some = own[: len(known)]
        near[valid] = nearest(own[len(known) :], some, target[known], len(index.classes))
        rows = np.arange(len(predictor.test))
        seen = _embedded(net, predictor, "test", rows, name)
        tests.append(nearest(seen, some, target[known], len(index.classes)))
    truth = target if held is None else new_target(target, np.maximum(fold, 0), held)
    oof, factor = _scaled(experiment, near, truth, fold)
    test = np.mean([softmax(factor * one) for one in tests], axis=0)
    path = table_path(experiment, out, (f"{experiment.name}_neighbours",))
    ground = Ground(experiment, index, predictor.test, plan)
    write_member(path, ground, index, oof, test, "neighbours", ())
    judged = fold >= 0
    answer = oof if experiment.metric.wants == "probs" else task.decide(oof)
    weights = experiment.metric.row_weights(index.weights)
    score = experiment.metric.score(
        truth[judged],
        answer[judged],
        len(index.classes),
        None if weights is None else weights[judged],
    )
    return NeighbourTable(path, experiment.metric.name, score, factor)


def _network(predictor: Predictor, fold: int) -> Net:
    predictor.require(fold)
    net = predictor.net(fold)
    assert isinstance(net, Net), "probes are refused above"
    net.module.eval()
    return net


@torch.inference_mode()
def _embedded(net: Net, predictor: Predictor, part: str, rows: Array, name: str) -> Array:
    """(n, D) float32 of length 1: what the last layer of a network gets of images of a part."""
    config = predictor.experiment.config
    size = config.predict.batch_size or 2 * config.train.batch_size
    seen: list[torch.Tensor] = []
    hook = head_of(net.module).register_forward_pre_hook(
        lambda _, given: seen.append(given[0].float().flatten(1).cpu())
    )
    try:
        batches = eval_batches(predictor.images(part), rows, size)
        for _, images in track(batches, -(-len(rows) // size), name):
            net.logits(net.to_device(images))
    finally:
        hook.remove()
    found = torch.cat(seen).numpy() if seen else np.empty((0, 1), dtype=np.float32)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def nearest(images: Array, known: Array, target: Array, classes: int) -> Array:
    """(n, K) float32: the largest cosine of each image to an image of each class; -1 to a class
    that has none. images: (n, D), known: (m, D), of length 1; target: (m,) class numbers."""
    out = np.full((len(images), classes), _FAR, dtype=np.float32)
    order = np.argsort(target, kind="stable")
    present, starts = np.unique(target[order], return_index=True)
    for begin in range(0, len(images), _BLOCK):
        cosines = images[begin : begin + _BLOCK] @ known[order].T
        out[begin : begin + _BLOCK, present] = np.maximum.reduceat(cosines, starts, axis=1)
    return out


def softmax(values: Array) -> Array:
    """(n, K) probabilities."""
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _scaled(experiment: Experiment, near: Array, truth: Array, fold: Array) -> tuple[Array, float]:
    """Probabilities, each fold's with the factor of the others, and the factor of all."""
    tables = [softmax(factor * near.astype(np.float64)) for factor in FACTORS]
    known = near[np.arange(len(near)), truth] > _FAR  # a class that was left out costs all alike

    def best(rows: Array) -> int:
        costs = [log_cost(experiment.task, truth[rows], table[rows]) for table in tables]
        return int(np.argmin(costs))

    out = np.empty_like(tables[0])
    for number in np.unique(fold):
        here = fold == number
        rest = ~here & known & (fold >= 0)
        out[here] = tables[best(rest if rest.any() else known)][here]
    return out.astype(np.float32), FACTORS[best(known & (fold >= 0))]
