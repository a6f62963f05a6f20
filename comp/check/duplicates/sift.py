"""Local features: whether two images show the same thing.

SIFT features (Lowe, 2004) with the square root of Arandjelovic and Zisserman (2012), on an image
with its local brightness and contrast evened out, so that exposure does not matter. Two images
match when many of their features agree on one affine map (RANSAC). A mirror image is recognised by
permuting the descriptors: a mirrored patch has the rows of its histogram reversed and its
orientations negated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]

COUNT = 256  # features of an image, at most
WIDTH = 128  # numbers of a descriptor
_SIDE = 320  # pixels of the longer side on which features are sought
_SPREAD = 12.0  # sigma of what is taken for lighting, in pixels
_RATIO = 0.85  # to the second-best distance, at most
_REACH = 4.0  # pixels that a feature may lie off the map
_FAR, _NEAR = np.array([38.0, 19.0]), np.array([19.0, 9.0])  # pixels: see `_far_apart`
_SCALES = (0.3, 3.4)  # by which the map may shrink or enlarge
MATCHES = 6  # agreeing features below which images do not match


@dataclass(frozen=True)
class Features:
    """`points` (K, 2) float32, x and y where the longer side is `_SIDE`; `words` (K, 128) uint8."""

    points: Array
    words: Array

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Match:
    """How two images match: `agree` of `of` features lie on one map."""

    agree: int
    of: int
    mirrored: bool


NO_MATCH = Match(0, 0, False)


def find_features(image: Array) -> Features:
    """The strongest features of an image, (H, W, 3) uint8; none of one without any structure."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = _SIDE / max(grey.shape)
    if min(grey.shape) * min(scale, 1.0) < 16:
        return _pack([], None)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT_create(nfeatures=COUNT, contrastThreshold=0.01, edgeThreshold=20)  # type: ignore[attr-defined]
    keys, words = sift.detectAndCompute(_evenly_lit(grey), None)
    return _pack(keys[:COUNT], words, max(scale, 1.0))


def _evenly_lit(grey: Array) -> Array:
    """The image with its local mean taken away and divided by its local contrast, uint8."""
    detail = grey.astype(np.float32)
    detail -= cv2.GaussianBlur(detail, (0, 0), _SPREAD)
    contrast = cv2.GaussianBlur(detail * detail, (0, 0), _SPREAD)
    flat = 128 + 40 * detail / np.sqrt(contrast + 4)
    return cv2.GaussianBlur(np.clip(flat, 0, 255).astype(np.uint8), (0, 0), 1.0)


def _pack(keys: Any, words: Array | None, scale: float = 1.0) -> Features:
    if words is None or not len(keys):
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, WIDTH), np.uint8))
    words = words[: len(keys)]
    root = np.sqrt(words / np.maximum(words.sum(axis=1, keepdims=True), 1e-6))
    points = np.array([key.pt for key in keys], dtype=np.float32) * np.float32(scale)
    return Features(points, np.clip(root * 512, 0, 255).astype(np.uint8))


def _mirror_order() -> Array:
    place = np.arange(WIDTH).reshape(4, 4, 8)
    return np.asarray(place[::-1][:, :, (-np.arange(8)) % 8].reshape(-1))


MIRROR = _mirror_order()  # words[:, MIRROR] are those of the mirror image


def compare(a: Features, b: Features, mirrored: bool = False) -> Match:
    """How two images match. mirrored: whether `a` is compared as its mirror image."""
    if min(len(a), len(b)) < MATCHES:
        return NO_MATCH
    left, right = _pairs(_unit(a.words[:, MIRROR] if mirrored else a.words), _unit(b.words))
    if len(left) < MATCHES:
        return NO_MATCH
    here, there = a.points[left], b.points[right]
    linear, inside = cv2.estimateAffine2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=500
    )
    if linear is None or not _possible(linear, mirrored):
        return NO_MATCH
    agree = inside[:, 0].astype(bool)
    if not _far_apart(here[agree], there[agree]):
        return NO_MATCH
    return Match(int(agree.sum()), len(left), mirrored)


def _unit(words: Array) -> Array:
    plain = words.astype(np.float32)
    return np.asarray(plain / np.maximum(np.linalg.norm(plain, axis=1, keepdims=True), 1e-6))


def _pairs(a: Array, b: Array) -> tuple[Array, Array]:
    """Rows of a and b that are each other's nearest, and clearly nearer than the second."""
    similarity = a @ b.T
    rows = np.arange(len(a))
    best = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[best] == rows
    first = similarity[rows, best]
    similarity[rows, best] = -1
    second = similarity.max(axis=1)
    clear = (1 - first) < _RATIO**2 * (1 - second)
    left = rows[mutual & clear]
    return left, best[left]


def _possible(linear: Array, mirrored: bool) -> bool:
    """Whether an affine map may be a camera's: not squashed, a mirror image only if `mirrored`."""
    sizes = np.linalg.svd(linear[:, :2], compute_uv=False)
    turned = float(np.linalg.det(linear[:, :2])) < 0
    return bool(
        turned == mirrored
        and _SCALES[0] < sizes[1]
        and sizes[0] < _SCALES[1]
        and sizes[0] < 2.5 * sizes[1]
    )


def _far_apart(here: Array, there: Array) -> bool:
    """Whether agreeing points lie far apart in both directions of one image and in more than a few
    places of the other; otherwise they may be a letter, a stamp or a logo."""
    if len(here) < MATCHES:
        return False
    sizes = np.array([_sizes(here), _sizes(there)])
    places = min(len(np.unique(np.round(points / 6), axis=0)) for points in (here, there))
    return bool(
        (sizes.max(axis=0) >= _FAR).all() and (sizes.min(axis=0) >= _NEAR).all() and places >= 6
    )


def _sizes(points: Array) -> Array:
    """The standard deviations of points along their longer and their shorter direction."""
    lengths = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return np.asarray(lengths / np.sqrt(len(points)))
