"""The nearest vectors: by all pairs and by an index, the same ones."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from comp.check.duplicates import neighbours
from comp.check.duplicates.neighbours import nearest


def drawn(count: int, copies: int) -> np.ndarray:
    """Vectors of unit length, of which some are near to another one."""
    draw = np.random.default_rng(0)
    codes = draw.standard_normal((count, 90)).astype(np.float32)
    of, to = draw.integers(count, size=copies), draw.permutation(count)[:copies]
    codes[to] = codes[of] + 0.1 * draw.standard_normal((copies, 90)).astype(np.float32)
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)


def pairs(codes: np.ndarray, most: int = 16) -> set[tuple[int, int]]:
    return {(row, int(j)) for row, others in nearest(codes, 0.975, most) for j in others}


def test_all_pairs_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = drawn(50, 20)
    whole = pairs(codes)
    square = codes @ codes.T - 2 * np.eye(50)
    assert whole == {(int(i), int(j)) for i, j in zip(*np.nonzero(square >= 0.975), strict=True)}
    assert whole
    monkeypatch.setattr(neighbours, "_CELLS", 150)  # three rows at a time
    assert pairs(codes) == whole


def test_only_the_nearest_of_very_many_are_given() -> None:
    codes = np.ones((5, 4), dtype=np.float32) / 2
    assert [(row, others.tolist()) for row, others in nearest(codes, 0.9, 2)] == [
        (0, [1, 2]),
        (1, [0, 2]),
        (2, [0, 1]),
        (3, [0, 1]),
        (4, [0, 1]),
    ]


def test_the_index_finds_what_all_pairs_find_whatever_the_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faiss = pytest.importorskip("faiss")
    codes = drawn(4000, 800)
    whole = pairs(codes)
    monkeypatch.setattr(neighbours, "MANY", 100)
    monkeypatch.setattr(neighbours, "_QUERIES", 1500)
    found, before = [], faiss.omp_get_max_threads()
    try:
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            found.append(pairs(codes))
            assert faiss.omp_get_max_threads() == threads
    finally:
        faiss.omp_set_num_threads(before)  # torch has the same, and its sums depend on it
    assert found[0] == found[1]
    assert found[0] <= whole
    assert len(found[0]) >= 0.99 * len(whole) > 1000


def test_without_the_package_all_pairs_are_compared_and_a_line_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = drawn(200, 80)
    whole = pairs(codes)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(neighbours, "MANY", 100)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert pairs(codes) == whole
    assert "all pairs of 200 images" in (said := capsys.readouterr().err)
    assert 'pip install ".[neighbours]"' in said
