"""Pictures of a fold's worst, median and best validation images: truth beside prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from comp.counts import RATIOS, image_scores, mean_of_defined
from comp.data.mask_batches import eval_regions
from comp.models import Net
from comp.report.overlay import overlay
from comp.report.sheet import contact_sheet
from comp.train.judging import Judged
from comp.train.learner import Job

Array = np.ndarray[Any, Any]

_EACH = 2  # images of each kind


def ranked(job: Job, counts: Array, each: int = _EACH) -> list[tuple[str, int]]:
    """(kind, place among the validation rows) of the worst, the median and the best images.

    By the mean Dice of the classes that an image holds or is given; images that hold none and are
    given none say nothing, and come last.
    """
    own = counts[:, counts.shape[1] - len(job.classes) :]
    there = own[..., :3].sum(axis=2) > 0
    scores = mean_of_defined(np.where(there, image_scores(own, RATIOS["dice"]), np.nan))
    order = [int(place) for place in np.argsort(scores, kind="stable") if scores[place] <= 1]
    order = order or list(range(len(own)))
    middle = max(0, len(order) // 2 - each // 2)
    kinds = {
        "worst": order[:each],
        "median": order[middle : middle + each],
        "best": order[-each:],
    }
    return [(kind, place) for kind, places in kinds.items() for place in places]


@torch.inference_mode()
def show_validation(job: Job, net: Net, judged: Judged, epoch: int) -> None:
    """Write `pictures/epoch_<n>.png` in the run folder: a row an image: as it is, its truth, what
    the network says."""
    if judged.counts is None or job.regions is None:
        return
    pictures: list[Array] = []
    titles: list[str] = []
    for kind, place in ranked(job, judged.counts):
        row = np.array([job.valid_rows[place]])
        images, masks = next(iter(eval_regions(job.images, job.regions, row, 1)))
        probs = job.task.link.probs(net.logits(net.to_device(images)).float()).cpu().numpy()
        image = images[0].numpy()
        said = job.task.decide(probs)[0].transpose(1, 2, 0).astype(np.uint8)
        truth = masks[0].numpy().transpose(1, 2, 0)
        pictures += [image, overlay(image, truth), overlay(image, said)]
        titles += [kind, "truth", "prediction"]
    out = job.run.path / "pictures" / f"epoch_{epoch + 1:03d}.png"
    contact_sheet(pictures, titles, out, columns=3)
