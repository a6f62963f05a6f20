"""Which pairs of many images are worth comparing, without comparing all pairs.

`same_frame`: whole frames that agree, turned or flipped too. The absolute values of the low
coefficients of a cosine transform do not change when an image is flipped, and swap when it is
transposed; their smaller and larger ones of each swapped pair are the same for all eight ways to
turn an image. `neighbours` finds those that are near to each other.

`shared_words`: images with local features in common. Each descriptor is a word of a vocabulary
that is drawn from the descriptors themselves, in two levels; images that share rare words are
candidates (Sivic and Zisserman, 2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from scipy import sparse

from comp.check.duplicates.neighbours import nearest
from comp.check.duplicates.sift import MIRROR, WIDTH
from comp.core import rng

Array = np.ndarray[Any, Any]

THUMB = 64  # pixels of the side of a thumbnail
_LOW = 9  # cosine coefficients in each direction
_FRAME = 0.975  # agreement above which two frames are compared
_ROWS = 512
_CHUNK = 8192
_PER_WORD = 5  # descriptors of a word, about
_LEAST = 500  # descriptors, below which every pair is a candidate
_BRANCHES = 256  # of each of the two levels, at most
_COMMON = 0.05  # share of the images above which a word says nothing
_NEIGHBOURS = 16  # candidates of an image, at most


def frame_codes(thumbs: Array) -> Array:
    """(N, 64, 64) uint8 -> (N, F) float32, unit length, the same for all eight ways to turn."""
    low = np.empty((len(thumbs), _LOW, _LOW), dtype=np.float32)
    for row, thumb in enumerate(thumbs):
        low[row] = np.abs(cv2.dct(thumb.astype(np.float32)))[:_LOW, :_LOW] / np.float32(THUMB)
    rows, columns = np.triu_indices(_LOW)
    pairs = np.stack([low[:, rows, columns], low[:, columns, rows]])
    out = np.concatenate([pairs.min(axis=0), pairs.max(axis=0)], axis=1)
    out[:, [0, len(rows)]] = 0  # the mean says how it was exposed
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6))


def same_frame(thumbs: Array) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of (N, 64, 64) thumbnails that may be the same frame, sorted.

    Of an image that is similar to very many others, only the nearest ones.
    """
    found: set[tuple[int, int]] = set()
    for image, others in nearest(frame_codes(thumbs), _FRAME, _NEIGHBOURS):
        found.update((min(image, int(j)), max(image, int(j))) for j in others)
    return sorted(found)


def shared_words(words: Array, owner: Array, count: int) -> list[tuple[int, int, bool]]:
    """Pairs of images with features in common: (i, j, whether as mirror images), i < j, sorted.

    words: (K, 128) uint8, the descriptors of all images, a memory map too; owner: (K,) whose each
    is, below `count`.
    """
    if len(words) < _LEAST:
        pairs = [(i, j) for j in range(count) for i in range(j)]
        return sorted((*pair, mirrored) for pair in pairs for mirrored in (False, True))
    tree = _vocabulary(words)
    size = len(tree[0]) ** 2
    plain = _bags(_words_of(words, tree), owner, count, size)
    weight = _weights(plain, count)
    base = _scaled(plain, weight)
    mirror = _scaled(_bags(_words_of(words, tree, MIRROR), owner, count, size), weight)
    found = {(i, j, False) for i, j in _nearest(base, base)}
    return sorted(found | {(i, j, True) for i, j in _nearest(mirror, base)})


def _vocabulary(words: Array) -> tuple[Array, Array]:
    """(B, 128) and (B, B, 128): for each branch the words below it, drawn from the descriptors."""
    branches = int(np.clip(np.sqrt(len(words) / _PER_WORD), 2, _BRANCHES))
    draw = np.random.default_rng(rng.derive(0, "words"))
    sample = draw.choice(len(words), min(len(words), branches * branches * 8), replace=False)
    picked = np.asarray(words[np.sort(sample)], dtype=np.float32)
    top = picked[draw.choice(len(picked), branches, replace=False)]
    home = _closest(picked, top)
    below = np.empty((branches, branches, WIDTH), dtype=np.float32)
    for branch in range(branches):
        inside = np.flatnonzero(home == branch)
        below[branch] = picked[draw.choice(inside, branches, replace=len(inside) < branches)]
    return top, below


def _closest(words: Array, centres: Array, order: Array | None = None) -> Array:
    """The nearest centre of each word, its numbers put in `order` first; (K,) int64."""
    half = (centres * centres).sum(axis=1) / 2
    out = np.empty(len(words), dtype=np.int64)
    for start in range(0, len(words), _CHUNK):
        block = np.asarray(words[start : start + _CHUNK], dtype=np.float32)
        block = block if order is None else block[:, order]
        out[start : start + _CHUNK] = (block @ centres.T - half).argmax(axis=1)
    return out


def _words_of(words: Array, tree: tuple[Array, Array], order: Array | None = None) -> Array:
    """The number of the word that each descriptor is, (K,) int64."""
    top, below = tree
    home = _closest(words, top, order)
    out = np.empty(len(words), dtype=np.int64)
    by_home = np.argsort(home, kind="stable")
    ends = np.searchsorted(home[by_home], np.arange(len(top) + 1))
    for branch in range(len(top)):
        rows = by_home[ends[branch] : ends[branch + 1]]
        out[rows] = branch * len(top) + _closest(words[rows], below[branch], order)
    return out


def _bags(word_of: Array, owner: Array, count: int, size: int) -> Any:
    """(N, W) sparse zeros and ones: which words an image has."""
    ones = np.ones(len(word_of), dtype=np.float32)
    bags = sparse.csr_matrix((ones, (owner, word_of)), shape=(count, size))
    bags.data[:] = 1
    return bags


def _weights(bags: Any, count: int) -> Array:
    """The weight of each word: the logarithm of its rarity; 0 for a common one."""
    owners = np.asarray(bags.sum(axis=0)).ravel()
    weight = np.log(count / np.maximum(owners, 1))
    return np.where(owners > max(20, _COMMON * count), 0.0, weight).astype(np.float32)


def _scaled(bags: Any, weight: Array) -> Any:
    scaled = bags @ sparse.diags(weight)
    length = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.maximum(length, 1e-6)) @ scaled).tocsr()


def _nearest(query: Any, base: Any) -> Iterator[tuple[int, int]]:
    """The pairs of each image with the `_NEIGHBOURS` that share the most."""
    turned = base.T.tocsr()
    for start in range(0, query.shape[0], _ROWS):
        block = (query[start : start + _ROWS] @ turned).tocsr()
        for row in range(block.shape[0]):
            image = start + row
            cut = slice(block.indptr[row], block.indptr[row + 1])
            others, shared = block.indices[cut], block.data[cut]
            keep = others != image
            others, shared = others[keep], shared[keep]
            best = np.lexsort((others, -shared))[:_NEIGHBOURS]
            yield from ((min(image, int(j)), max(image, int(j))) for j in others[best])
