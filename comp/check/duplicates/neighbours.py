"""The nearest of many vectors: all pairs for a few thousand, an index of neighbours beyond.

The index (faiss) puts each vector into the list of the nearest of N / 32 drawn ones, which a graph
finds (HNSW: Malkov and Yashunin, 2016), and a query looks through the 16 nearest lists. So the time
grows like N log N. `benchmarks/scale.md` has what it misses: nothing that was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from comp.core import rng
from comp.core.progress import say

Array = np.ndarray[Any, Any]

INSTALL = 'pip install ".[neighbours]"'
MANY = 20_000  # vectors, up to which all pairs take seconds
_CELLS = 1 << 24  # of a product at a time
_QUERIES = 1 << 14
_LIST, _PROBES, _LINKS = 32, 16, 16  # vectors per list, lists looked through, links in the graph


def nearest(codes: Array, least: float, most: int) -> Iterator[tuple[int, Array]]:
    """For each vector the rows of the others whose product with it is at least `least`: the `most`
    nearest, those first. Vectors without any are left out.

    codes: (N, F) float32, of unit length. The same rows whatever the number of threads. Beyond MANY
    vectors by the index; without faiss, which a line tells, by all pairs there too.
    """
    faiss = _faiss(len(codes)) if len(codes) > MANY else None
    return _by_pairs(codes, least, most) if faiss is None else _by_index(faiss, codes, least, most)


def _faiss(count: int) -> Any:
    try:
        import faiss
    except ImportError:
        say(
            f"comparing all pairs of {count} images, which grows with the square of their number; "
            f"{INSTALL} brings an index of neighbours"
        )
        return None
    return faiss


def _by_pairs(codes: Array, least: float, most: int) -> Iterator[tuple[int, Array]]:
    rows = max(1, _CELLS // max(1, len(codes)))
    for start in range(0, len(codes), rows):
        block = codes[start : start + rows] @ codes.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1
        for row in np.flatnonzero((block >= least).any(axis=1)):
            others = np.flatnonzero(block[row] >= least)
            best = others[np.argsort(-block[row, others], kind="stable")[:most]]
            yield start + int(row), best


def _by_index(faiss: Any, codes: Array, least: float, most: int) -> Iterator[tuple[int, Array]]:
    index, graph = _index(faiss, codes)  # noqa: RUF059  (the index does not own its graph)
    for start in range(0, len(codes), _QUERIES):
        block = codes[start : start + _QUERIES]
        apart, found = index.search(block, most + 1)  # squared distances; itself is among them
        own = np.arange(start, start + len(block))[:, None]
        near = (1 - apart / 2 >= least) & (found != own) & (found >= 0)
        for row in np.flatnonzero(near.any(axis=1)):
            yield start + int(row), found[row][near[row]][:most]


def _index(faiss: Any, codes: Array) -> tuple[Any, Any]:
    """The lists with all vectors in them, and the graph over the drawn ones."""
    count, width = codes.shape
    draw = np.random.default_rng(rng.derive(0, "neighbours"))
    drawn = np.sort(draw.choice(count, max(1, count // _LIST), replace=False))
    graph = faiss.IndexHNSWFlat(width, _LINKS)
    graph.hnsw.efSearch = 2 * _PROBES
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # several would link the graph in another order each time
    try:
        graph.add(codes[drawn])
    finally:
        faiss.omp_set_num_threads(threads)
    index = faiss.IndexIVFFlat(graph, width, len(drawn))
    index.is_trained, index.nprobe = True, _PROBES
    index.add(codes)
    return index, graph
