"""The loss and the scores of a network on the validation part of a fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from comp.data.cache.mask_store import MaskStore
from comp.data.loader.batches import eval_batches
from comp.data.loader.targets import MaskTarget
from comp.models.halving import Halving, images_at_once
from comp.models.networks import Net, with_parts
from comp.tasks.counts import count_pixels
from comp.train.job import Job
from comp.train.row_losses import weighed_loss
from comp.train.train_state import TrainState

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Validation:
    """The loss, the score, and for masks the counts (n, C, 4) of each validation image, see
    `comp.tasks.counts`, and what the metric measures of it; else None."""

    loss: float
    score: float
    counts: Array | None = None
    measures: Array | None = None

    def by_class(self, job: Job) -> dict[str, float]:
        """The score of each class, by name, where the metric has one."""
        if self.measures is None:
            return {}
        scores = job.metric.class_scores(self.measures, len(job.classes))
        names = job.task.column_names(job.classes)
        return {f"{job.metric.name}[{n}]": float(s) for n, s in zip(names, scores, strict=True)}


class _Tally(Protocol):
    """Gathers what is needed of the logits of each batch; `result` is the validation of all."""

    def add(self, rows: Array, logits: torch.Tensor) -> None: ...

    def result(self) -> Validation: ...


class _Labels:
    """Keeps all logits: a score such as AUC needs the whole set."""

    def __init__(self, job: Job, loss: Any) -> None:
        self.job, self.loss = job, loss
        self.logits: list[torch.Tensor] = []

    def add(self, rows: Array, logits: torch.Tensor) -> None:
        self.logits.append(logits)

    def result(self) -> Validation:
        job, logits = self.job, torch.cat(self.logits)
        target = job.target[job.valid_rows]
        truth = job.task.link.loss_target(torch.from_numpy(target).to(logits.device), logits)
        loss = float(self._loss(logits, truth))
        probs = job.task.link.probs(logits).cpu().numpy()
        scored = probs if job.metric.wants == "probs" else job.task.decide(probs)
        return Validation(loss, job.score(job.valid_rows, scored))

    def _loss(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        weights = self.job.loss_weights
        if weights is None:
            found: torch.Tensor = self.loss(logits, truth)
            return found
        own = torch.from_numpy(weights[self.job.valid_rows]).to(logits.device)
        return weighed_loss(self.loss, logits, truth, own)


class _Pixels:
    """Counts pixels batch by batch, so that no more than one batch of them is held."""

    def __init__(self, job: Job, loss: Any, masks: MaskStore) -> None:
        self.job, self.loss, self.target = job, loss, MaskTarget(masks)
        self.columns = job.columns
        self.total, self.counts, self.measures = 0.0, list[Array](), list[Array]()

    def add(self, rows: Array, logits: torch.Tensor) -> None:
        link, masks = self.job.task.link, self.target.read(rows)
        truth = link.loss_target(masks.to(logits.device), logits)
        self.total += float(self.loss(logits, truth)) * len(rows)
        probs = link.probs(logits).cpu().numpy()
        parts = zip(masks.numpy(), self.job.task.decide(probs), probs, strict=True)
        for true, said, own in parts:
            self.counts.append(count_pixels(true, said, self.columns))
            if self.job.metric.measure is not None:
                self.measures.append(self.job.metric.measure(true, said, own, self.columns))

    def result(self) -> Validation:
        counts = np.stack(self.counts)
        table = np.stack(self.measures) if self.measures else counts
        score = self.job.metric.score(table, table, len(self.job.classes))
        return Validation(self.total / len(table), score, counts, table)


@torch.inference_mode()
def validate(job: Job, state: TrainState, net: Net, pause: Callable[[], None]) -> Validation:
    """Loss and scores of the validation rows, without augmentation, with the neutral rule.

    pause: called after every batch; it may raise to leave.
    """
    net.module.eval()
    each = job.config.image.bag_size if job.config.data.bag is not None else 1
    size = min(images_at_once(job.config), 2 * state.micro_batch * each)
    net = with_parts(net, size, f"{job.name}: validation")
    tally: _Tally = (
        _Labels(job, state.loss) if job.masks is None else _Pixels(job, state.loss, job.masks)
    )
    forward = Halving(size, f"{job.name}: validation")
    for rows, images in eval_batches(job.images, job.valid_rows, size):
        tally.add(rows, forward(lambda part: net.logits(part).float(), net.to_device(images)))
        pause()
    return tally.result()
