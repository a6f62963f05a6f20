"""The loss and the scores of a network on the validation part of a fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from comp.core.parallel import read_ahead
from comp.data.loader.batches import eval_batches, row_parts
from comp.data.loader.targets import MaskTarget
from comp.models.halving import Halving, images_at_once
from comp.models.networks import Net, with_parts
from comp.tasks.counts import count_maps, decided
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

    def add(self, masks: torch.Tensor | None, logits: torch.Tensor) -> None: ...

    def result(self) -> Validation: ...


class _Labels:
    """Keeps all logits: a score such as AUC needs the whole set."""

    def __init__(self, job: Job, loss: Any) -> None:
        self.job, self.loss = job, loss
        self.logits: list[torch.Tensor] = []

    def add(self, masks: torch.Tensor | None, logits: torch.Tensor) -> None:
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
    """Decides and counts pixels on the device, batch by batch, so that no more than one batch of
    them is held and nobody waits for a count."""

    def __init__(self, job: Job, loss: Any) -> None:
        self.job, self.loss = job, loss
        self.losses: list[torch.Tensor] = []
        self.counts: list[torch.Tensor] = []
        self.measures: list[Array] = []

    def add(self, masks: torch.Tensor | None, logits: torch.Tensor) -> None:
        assert masks is not None, "images of masks are judged by them"
        link = self.job.task.link
        self.losses.append(self.loss(logits, link.loss_target(masks, logits)))
        probs = link.probs(logits)
        labels = decided(probs, normalized=link.normalized)
        self.counts.append(count_maps(masks, labels, self.job.columns))
        measure = self.job.metric.measure
        if measure is not None:  # of outlines and objects: not counted by pixels
            parts = [part.cpu().numpy() for part in (masks, labels.long(), probs)]
            triples = zip(*parts, strict=True)
            self.measures += [measure(t, s, p, self.job.columns) for t, s, p in triples]

    def result(self) -> Validation:
        counts = torch.cat(self.counts).cpu().numpy()
        table = np.stack(self.measures) if self.measures else counts
        losses = torch.stack(self.losses).cpu().tolist()
        sizes = [len(part) for part in self.counts]
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        score = self.job.metric.score(table, table, len(self.job.classes))
        return Validation(total / len(table), score, counts, table)


def _batches(job: Job, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """The images of the validation rows, and their masks; threads read them ahead."""
    if job.resident is None:
        images: Iterator[torch.Tensor] = (
            pixels for _, pixels in eval_batches(job.images, job.valid_rows, size)
        )
    else:
        place, kept = job.device.torch_device, job.resident
        rows = torch.from_numpy(np.asarray(job.valid_rows, dtype=np.int64)).to(place)
        images = (kept.take(part) for part in rows.split(size))
    if job.masks is None:
        yield from ((pixels, None) for pixels in images)
        return
    target = MaskTarget(job.masks)
    parts = row_parts(job.images, job.valid_rows, size)
    masks = read_ahead(target.read, parts, threads=1, waiting=1)
    yield from zip(images, masks, strict=True)


@torch.inference_mode()
def validate(job: Job, state: TrainState, net: Net, pause: Callable[[], None]) -> Validation:
    """Loss and scores of the validation rows, without augmentation, with the neutral rule.

    pause: called after every batch; it may raise to leave.
    """
    net.module.eval()
    each = job.config.image.bag_size if job.config.data.bag is not None else 1
    size = min(images_at_once(job.config), 2 * state.micro_batch * each)
    net = with_parts(net, size, f"{job.name}: validation")
    tally: _Tally = _Labels(job, state.loss) if job.masks is None else _Pixels(job, state.loss)
    forward = Halving(size, f"{job.name}: validation")
    for images, masks in _batches(job, size):
        logits = forward(lambda part: net.logits(part).float(), net.to_device(images))
        tally.add(None if masks is None else job.device.send(masks), logits)
        pause()
    return tally.result()
