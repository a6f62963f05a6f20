"""Answers for a slide, tile by tile: pooled logits, or a stitched mask, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from comp.config.schema import ImageConfig
from comp.core.errors import PredictionsError
from comp.data.images.crops import fitted
from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import of_planes
from comp.data.images.slides import Slide, occupied
from comp.data.images.tiles import gaussian
from comp.inference.views import view_probs, views_of
from comp.models.networks import Net
from comp.tasks.kinds import Task

Array = np.ndarray[Any, Any]
Place = tuple[int, int]

# How the logits of tiles (n, C) become those of their slide (C,)
POOLS: dict[str, Callable[[Array], Array]] = {
    "mean": lambda logits: logits.mean(axis=0),
    "max": lambda logits: logits.max(axis=0),
}


_DIVIDED = 1 << 22  # probabilities of a band that are given at once


@dataclass(frozen=True)
class SlideReader:
    """How a slide is seen: by the networks of a run, in tiles.

    `columns`  of the probabilities
    `side`     of a tile in the slide, in pixels; it is then brought to `image.size`
    `overlap`  the share of a tile that overlaps its neighbour, at least
    `least`    a tile is left out where less of it is no background
    `batch`    tiles at once
    """

    nets: Sequence[Net]
    task: Task
    columns: int
    image: ImageConfig
    form: PixelForm
    side: int
    overlap: float
    least: float
    batch: int
    tta: str = "none"

    def batches(self, slide: Slide, places: Sequence[Place]) -> Iterator[tuple[list[Place], Array]]:
        """Places (B,) and pixels (B, size, size, C) of the tiles that are not empty."""
        kept, pixels = list[Place](), list[Array]()
        for top, left in places:
            tile = of_planes(
                slide.tile(top, left, self.side).pixels, self.form, colours=slide.colours
            )
            if occupied(tile) < self.least:
                continue
            kept.append((top, left))
            pixels.append(fitted(tile, self.image))
            if len(kept) == self.batch:
                yield kept, np.stack(pixels)
                kept, pixels = [], []
        if kept:
            yield kept, np.stack(pixels)


@torch.inference_mode()
def pooled(reader: SlideReader, slide: Slide, pool: str) -> tuple[Array, int, int]:
    """(C,) probabilities of a slide, how many tiles were looked at, and how many there are.

    The logits of its tiles are pooled for each network; the probabilities of the networks are
    averaged. NaN where every tile is empty.
    """
    views, link = views_of(reader.tta), reader.task.link
    rows = slide.places(reader.side, reader.overlap)
    found: list[list[Array]] = [[] for _ in reader.nets]
    for row in rows:
        for _, pixels in reader.batches(slide, row):
            for net, own in zip(reader.nets, found, strict=True):
                images = net.to_device(torch.from_numpy(pixels))
                logits = [net.logits(view.augment_image(images)).float() for view in views]
                own.append(torch.stack(logits).mean(dim=0).cpu().numpy())
    total, seen = sum(map(len, rows)), sum(map(len, found[0]))
    if not seen:
        return np.full(reader.columns, np.nan), 0, total
    probs = []
    for own in found:
        one = torch.from_numpy(POOLS[pool](np.concatenate(own))[None])
        probs.append(link.probs(one).numpy()[0])
    mean = np.mean(probs, axis=0)
    if not np.isfinite(mean).all():
        raise PredictionsError(f"{slide.path}: the network gives NaN; was it trained well?")
    return mean, seen, total


@torch.inference_mode()
def stitched_rows(reader: SlideReader, slide: Slide) -> Iterator[tuple[Array, int]]:
    """Bands (C, rows, width) float32 of the probabilities of a slide, from its top to its bottom,
    and how many tiles were looked at since the band before.

    Where tiles overlap, the mean of their probabilities with a Gaussian weight. What only empty
    tiles cover is background. One band of the height of a tile is in memory.
    """
    views = views_of(reader.tta)
    rows = slide.places(reader.side, reader.overlap)
    weight = np.outer(gaussian(reader.side), gaussian(reader.side)).astype(np.float32)
    band = np.zeros((reader.columns, reader.side, slide.width), np.float32)
    weights = np.zeros((reader.side, slide.width), np.float32)
    for number, row in enumerate(rows):
        seen, top = 0, row[0][0]
        for places, pixels in reader.batches(slide, row):
            probs = _mean_probs(reader, views, pixels)
            for (_, left), own in zip(places, probs, strict=True):
                wide = min(reader.side, slide.width - left)
                span = np.s_[left : left + wide]
                band[:, :, span] += own[:, :, :wide] * weight[:, :wide]
                weights[:, span] += weight[:, :wide]
            seen += len(places)
        end = rows[number + 1][0][0] if number + 1 < len(rows) else slide.height
        done = end - top
        step = max(1, _DIVIDED // (slide.width * reader.columns))
        for begin in range(0, done, step):  # in parts: a whole copy of the band would double it
            part = np.s_[begin : min(begin + step, done)]
            yield _divided(reader.task, band[:, part], weights[part]), seen
            seen = 0
        for store in (band, weights):
            store[..., : reader.side - done, :] = store[..., done:, :].copy()
            store[..., reader.side - done :, :] = 0


def _mean_probs(reader: SlideReader, views: Sequence[Any], pixels: Array) -> Array:
    """(B, C, side, side): the mean over the networks."""
    total: Array | None = None
    for net in reader.nets:
        images = net.to_device(torch.from_numpy(pixels))
        probs = view_probs(net, reader.task, images, views).float().cpu().numpy()
        total = probs if total is None else total + probs
    assert total is not None, "a run has one network at least"
    total /= len(reader.nets)
    if total.shape[-1] == reader.side:
        return total
    size = (reader.side, reader.side)
    return np.stack(
        [[cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in own] for own in total]
    )


def _divided(task: Task, band: Array, weights: Array) -> Array:
    out = band / np.maximum(weights, np.float32(1e-12))
    nothing = weights == 0
    out[:, nothing] = 0
    if task.link.normalized:
        out[0, nothing] = 1
    return np.asarray(out, dtype=np.float32)
