"""The loss and the scores of a network on the validation part of a fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from comp.core.parallel import read_ahead
from comp.data.cache.store import plain
from comp.data.loader.batches import eval_batches, row_parts
from comp.data.loader.targets import MaskTarget
from comp.models.device import sent_ahead
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
    """Gathers what is needed of the logits of each batch; `result` is the validation of all.

    places: of the images among the validation rows. `parts` is what this process has gathered, for
    the one that adds up the parts of all.
    """

    def add(self, places: Array, masks: torch.Tensor | None, logits: torch.Tensor) -> None: ...

    def parts(self) -> list[Any]: ...

    def result(self, parts: list[Any]) -> Validation: ...


class _Labels:
    """Keeps all logits: a score such as AUC needs the whole set."""

    def __init__(self, job: Job, loss: Any) -> None:
        self.job, self.loss = job, loss
        self.found: list[tuple[int, torch.Tensor]] = []

    def add(self, places: Array, masks: torch.Tensor | None, logits: torch.Tensor) -> None:
        self.found.append((int(places[0]), logits))

    def parts(self) -> list[Any]:
        if not self.job.world.shared:
            return self.found
        return [(place, logits.cpu()) for place, logits in self.found]

    def result(self, parts: list[Any]) -> Validation:
        job = self.job
        logits = torch.cat([part for _, part in sorted(parts, key=_place)])
        logits = logits.to(job.device.torch_device)
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
        return weighed_loss(self.loss, logits, truth, own, unknown=self.job.unknown)


class _Pixels:
    """Decides and counts pixels on the device, batch by batch, so that no more than one batch of
    them is held and nobody waits for a count."""

    def __init__(self, job: Job, loss: Any) -> None:
        self.job, self.loss = job, loss
        self.found: list[tuple[int, torch.Tensor, torch.Tensor, list[Array]]] = []

    def add(self, places: Array, masks: torch.Tensor | None, logits: torch.Tensor) -> None:
        assert masks is not None, "images of masks are judged by them"
        link, measures = self.job.task.link, list[Array]()
        loss = self.loss(logits, link.loss_target(masks, logits))
        probs = link.probs(logits)
        labels = decided(probs, normalized=link.normalized)
        counts = count_maps(masks, labels, self.job.columns)
        measure = self.job.metric.measure
        if measure is not None:  # of outlines and objects: not counted by pixels
            triples = zip(*(p.cpu().numpy() for p in (masks, labels.long(), probs)), strict=True)
            measures = [measure(t, s, p, self.job.columns) for t, s, p in triples]
        self.found.append((int(places[0]), loss, counts, measures))

    def parts(self) -> list[Any]:
        if not self.found:
            return []
        losses = torch.stack([loss for _, loss, _, _ in self.found]).cpu().tolist()
        counts = torch.cat([part for _, _, part, _ in self.found]).cpu().numpy()
        ends = np.cumsum([len(part) for _, _, part, _ in self.found])[:-1]
        return [
            (place, loss * len(part), part, measures)
            for (place, _, _, measures), loss, part in zip(
                self.found, losses, np.split(counts, ends), strict=True
            )
        ]

    def result(self, parts: list[Any]) -> Validation:
        ordered, total = sorted(parts, key=_place), 0.0
        for _, loss, _, _ in ordered:
            total += loss
        counts = np.concatenate([part[2] for part in ordered])
        measures = [measure for part in ordered for measure in part[3]]
        table = np.stack(measures) if measures else counts
        score = self.job.metric.score(table, table, len(self.job.classes))
        return Validation(total / len(table), score, counts, table)


def _batches(
    job: Job, rows: Array, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """The images of some validation rows, and their masks; threads read them ahead."""
    if job.resident is None:
        images: Iterator[torch.Tensor] = (
            pixels for _, pixels in eval_batches(job.images, rows, size)
        )
    else:
        place, kept = job.device.torch_device, job.resident
        there = torch.from_numpy(np.asarray(rows, dtype=np.int64)).to(place)
        images = (kept.take(part) for part in there.split(size))
    if job.masks is None:
        yield from ((pixels, None) for pixels in images)
        return
    target = MaskTarget(job.masks)
    masks = read_ahead(target.read, row_parts(job.images, rows, size), threads=1, waiting=1)
    yield from zip(images, masks, strict=True)


def _place(part: tuple[Any, ...]) -> int:
    return int(part[0])


@torch.inference_mode()
def validate(job: Job, state: TrainState, net: Net, pause: Callable[[], None]) -> Validation:
    """Loss and scores of the validation rows, without augmentation, with the neutral rule.

    pause: called after every batch; it may raise to leave. Processes that train together take
    turns at the batches; the first one adds up, and the others get loss and score from it.
    """
    net.module.eval()
    each = job.config.image.bag_size if job.config.data.bag is not None else 1
    size = min(images_at_once(job.config), 2 * state.micro_batch * each)
    net = with_parts(net, size, f"{job.name}: validation")
    tally: _Tally = _Labels(job, state.loss) if job.masks is None else _Pixels(job, state.loss)
    forward = Halving(size, f"{job.name}: validation")
    places, rounds = _turns(job, size)
    job.world.copy([*net.module.buffers()])
    seen = 0

    def send(
        pair: tuple[torch.Tensor, torch.Tensor | None],
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        return net.to_device(pair[0]), None if pair[1] is None else job.device.send(pair[1])

    for images, masks in sent_ahead(_batches(job, job.valid_rows[places], size), job.device, send):
        logits = forward(lambda part: net.logits(part).float(), images)
        tally.add(places[seen : seen + len(images)], masks, logits)
        seen, rounds = seen + len(images), rounds - 1
        pause()
    for _ in range(rounds):  # others have more batches
        pause()
    parts = [part for found in job.world.gather(tally.parts()) for part in found]
    result = tally.result(parts) if job.world.lead else None
    loss, score = job.world.tell([0.0, 0.0] if result is None else [result.loss, result.score])
    return Validation(loss, score) if result is None else result


def _turns(job: Job, size: int) -> tuple[Array, int]:
    """The places among the validation rows that this process sees, and the most batches that any
    process has."""
    world, places = job.world, np.arange(len(job.valid_rows))
    if not world.shared:
        return places, 0
    step = 1 if getattr(plain(job.images), "own_size", False) else size
    batches = -(-len(places) // step)
    return places[places // step % world.size == world.rank], -(-batches // world.size)
