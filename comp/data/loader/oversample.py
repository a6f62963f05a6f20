"""Copies of rare classes, turned and flipped: offline oversampling, done while training.

When copies are written to files before the folds are made, copies of one image are in training and
validation, and the score measures what the network has seen. Here they are rows after those of the
index, made from rows that a fold trains on: no plan, validation part or prediction contains one.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from comp.config.schema import CopiesConfig
from comp.core import rng
from comp.core.errors import ConfigError, did_you_mean, first
from comp.data.cache.store import Images, from_state, gather, plain, to_state
from comp.data.images.resize import by_fours

Array = np.ndarray[Any, Any]


def turn(image: Array, angle: float, flip: int) -> Array:
    """The image turned by `angle` degrees about its centre, then flipped: 0 not at all, 1 left to
    right, 2 upside down. (S, S, C); what the turn uncovers is the mirror image, because
    black corners would tell which class was copied."""
    if angle:
        centre = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
        matrix = cv2.getRotationMatrix2D(centre, angle, 1.0)
        size = image.shape[1], image.shape[0]
        image = by_fours(
            image,
            lambda part: cv2.warpAffine(part, matrix, size, borderMode=cv2.BORDER_REFLECT_101),
        )
    return (
        image if flip == 0 else np.ascontiguousarray(image[:, ::-1] if flip == 1 else image[::-1])
    )


class Copied:
    """The images of a pack, and after them M copies: `source`, `angle` and `flip` are (M,)."""

    def __init__(self, images: Images, source: Array, angle: Array, flip: Array) -> None:
        self.images, self.source, self.angle, self.flip = images, source, angle, flip
        self._plain = plain(images)
        self.shape = (len(images) + len(source), *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, row: int) -> Array:
        copy = int(row) - len(self.images)
        if copy < 0:
            return np.asarray(self._plain[int(row)])
        image = self._plain[int(self.source[copy])]
        return turn(image, float(self.angle[copy]), int(self.flip[copy]))

    def take(self, rows: Array) -> Array:
        """(n, S, S, C) of several rows."""
        rows = np.asarray(rows)
        copies = rows >= len(self.images)
        out = gather(self.images, np.where(copies, 0, rows))
        for place in np.flatnonzero(copies):
            out[place] = self[rows[place]]
        return out

    def __getstate__(self) -> tuple[Any, ...]:
        return to_state(self.images), self.source, self.angle, self.flip

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        images, *rest = state
        self.__init__(from_state(images), *rest)  # type: ignore[misc]


def with_copies(
    images: Images,
    target: Array,
    rows: Array,
    copies: CopiesConfig | None,
    classes: tuple[str, ...],
    *,
    seed: int,
    fold: int,
) -> tuple[Images, Array, Array]:
    """Images, target and training rows of a fold, with copies of its rows of `copies.classes`.

    images: (N, S, S, C). target: (N,) or (N, C). rows: (n,) the training rows of the fold. Where
    `copies.ratio` allows fewer copies than there can be, they are drawn by (seed, fold), evenly
    over the images. Raises ConfigError for an unknown class.
    """
    if copies is None:
        return images, target, rows
    wanted = _chosen(target[rows], copies, classes)
    sources = rows[wanted]
    variants = np.array([(t, f) for t in range(copies.turns) for f in range(copies.flips)][1:])
    most = len(sources) * len(variants)
    if copies.ratio is not None:
        allowed = int(copies.ratio * (len(rows) - len(sources))) - len(sources)
        most = min(most, max(0, allowed))
    if not most:
        return images, target, rows
    draw = rng.generator(seed, "copies", fold)
    order = np.stack([draw.permutation(len(variants)) for _ in sources], axis=1).ravel()[:most]
    source = np.tile(sources, len(variants))[:most]
    angle = variants[order, 0] * (360 / copies.turns)
    extra = np.arange(most) + len(images)
    copied = Copied(images, source, angle, variants[order, 1])
    return copied, np.concatenate([target, target[source]]), np.concatenate([rows, extra])


def _chosen(target: Array, copies: CopiesConfig, classes: tuple[str, ...]) -> Array:
    unknown = [name for name in copies.classes if name not in classes]
    if unknown:
        hint = did_you_mean(unknown[0], classes)
        raise ConfigError(
            f"augment.copies.classes: {unknown[0]!r} is none of {first(classes, 12)}.{hint}"
        )
    numbers = [classes.index(name) for name in copies.classes]
    if target.ndim == 1:
        return np.asarray(np.isin(target, numbers))
    return np.asarray((target[:, numbers] > 0).any(axis=1))
