"""What a network is worth on the validation part of a fold: its loss and its scores.

Answers an image are judged together. Answers a pixel are counted batch by batch, so that the
pixels of no more than a batch are held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from comp.data.loader.loader import eval_batches
from comp.data.loader.mask_batches import eval_regions
from comp.models.networks import Net
from comp.tasks.counts import RATIOS, class_scores, count_pixels
from comp.train.train_state import Job, Learner

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Judged:
    """The loss, the score, and for masks the counts (n, C, 4) of each validation image, see
    `comp.tasks.counts`; else None."""

    loss: float
    score: float
    counts: Array | None = None

    def by_class(self, job: Job) -> dict[str, float]:
        """The score of each class, by name, where the metric has one."""
        if self.counts is None:
            return {}
        ratio = job.metric.ratio or RATIOS["dice"]
        scores = class_scores(self.counts, ratio)
        names = job.task.column_names(job.classes)
        return {f"{job.metric.name}[{n}]": float(s) for n, s in zip(names, scores, strict=True)}


@torch.inference_mode()
def judge(job: Job, learner: Learner, net: Net, pause: Callable[[], None]) -> Judged:
    """Loss and scores of the validation rows, without augmentation, with the neutral rule.

    pause: called after every batch; it may raise to leave.
    """
    net.module.eval()
    size = min(job.config.predict.batch_size or 2 * job.config.train.batch_size, 2 * learner.micro)
    if job.regions is not None:
        return _judge_pixels(job, learner, net, pause, size)
    parts = []
    for batch in eval_batches(job.images, job.valid_rows, size):
        parts.append(net.logits(net.to_device(batch)).float())
        pause()
    logits = torch.cat(parts)
    target = job.target[job.valid_rows]
    truth = job.task.link.loss_target(torch.from_numpy(target).to(logits.device), logits)
    loss = float(learner.loss(logits, truth))
    probs = job.task.link.probs(logits).cpu().numpy()
    answer = probs if job.metric.wants == "probs" else job.task.decide(probs)
    return Judged(loss, job.metric.score(target, answer, len(job.classes)))


def _judge_pixels(
    job: Job, learner: Learner, net: Net, pause: Callable[[], None], size: int
) -> Judged:
    assert job.regions is not None
    loss, columns = 0.0, job.task.columns(len(job.classes))
    counts: list[Array] = []
    for images, masks in eval_regions(job.images, job.regions, job.valid_rows, size):
        logits = net.logits(net.to_device(images)).float()
        truth = job.task.link.loss_target(masks.to(logits.device), logits)
        loss += float(learner.loss(logits, truth)) * len(images)
        labels = job.task.decide(job.task.link.probs(logits).cpu().numpy())
        counts += [count_pixels(*pair, columns) for pair in zip(masks.numpy(), labels, strict=True)]
        pause()
    table = np.stack(counts)
    score = job.metric.score(table, table, len(job.classes))
    return Judged(loss / len(table), score, table)
