"""Pictures of a fold's worst, median and best validation images: truth beside prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from comp.data.loader.batches import eval_batches
from comp.data.loader.targets import MaskTarget
from comp.models.networks import Net
from comp.report.contact_sheet import contact_sheet
from comp.report.overlay import overlay
from comp.report.validation_page import ranked
from comp.train.job import Job
from comp.train.validate import Validation

Array = np.ndarray[Any, Any]

_EACH = 2  # images of each kind


@torch.inference_mode()
def show_validation(job: Job, net: Net, result: Validation, epoch: int) -> None:
    """Write `pictures/epoch_<n>.png` in the run folder: a row per image: the image, its truth
    and the prediction."""
    if result.counts is None or job.masks is None:
        return
    pictures: list[Array] = []
    titles: list[str] = []
    kinds = ranked(result.counts, len(job.classes), _EACH)
    chosen = [(kind, place) for kind, rows in kinds.items() for place, _ in rows]
    for kind, place in chosen or [("first", 0)]:
        row, images = next(eval_batches(job.images, job.valid_rows[[place]], 1))
        masks = MaskTarget(job.masks).read(row)
        probs = job.task.link.probs(net.logits(net.to_device(images)).float()).cpu().numpy()
        image = images[0].numpy()
        predicted = job.task.decide(probs)[0].transpose(1, 2, 0).astype(np.uint8)
        truth = masks[0].numpy().transpose(1, 2, 0)
        pictures += [image, overlay(image, truth), overlay(image, predicted)]
        titles += [kind, "truth", "prediction"]
    out = job.run.path / "pictures" / f"epoch_{epoch + 1:03d}.png"
    contact_sheet(pictures, titles, out, columns=3)
