"""Maps are decided and counted by torch as by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from comp.tasks.counts import IGNORED, count_pixels
from comp.tasks.kinds import TASKS
from comp.tasks.map_counts import count_maps, decided

KINDS = ["segmentation", "multilabel_segmentation"]


def maps(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three columns with ties, and masks with pixels that are not judged."""
    draw = np.random.default_rng(0)
    probs = draw.integers(0, 5, (4, 3, 9, 11)).astype(np.float32) / 4
    layers = 1 if TASKS[kind].link.normalized else 3
    truth = draw.integers(0, 3 if layers == 1 else 2, (4, layers, 9, 11)).astype(np.uint8)
    truth[draw.random(truth.shape) < 0.2] = IGNORED
    truth[2] = IGNORED
    return probs, truth


@pytest.mark.parametrize("kind", KINDS)
def test_decisions_and_counts_are_those_of_numpy(kind: str) -> None:
    probs, truth = maps(kind)
    labels = decided(torch.from_numpy(probs), normalized=TASKS[kind].link.normalized)
    expected = TASKS[kind].decide(probs)
    np.testing.assert_array_equal(labels, expected)
    found = count_maps(torch.from_numpy(truth), labels, 3)
    assert found.dtype == torch.int64
    for image in range(4):
        np.testing.assert_array_equal(found[image], count_pixels(truth[image], expected[image], 3))


def test_one_column_is_a_layer() -> None:
    truth = torch.tensor([[[[1, 0], [1, IGNORED]]]], dtype=torch.uint8)
    labels = torch.tensor([[[[1, 1], [0, 1]]]], dtype=torch.uint8)
    assert count_maps(truth, labels, 1).tolist() == [[[1, 1, 1, 0]]]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_a_card_counts_alike_and_nobody_waits(kind: str) -> None:
    probs, truth = (torch.from_numpy(part) for part in maps(kind))
    normalized = TASKS[kind].link.normalized
    expected = count_maps(truth, decided(probs, normalized=normalized), 3)
    probs, truth = probs.cuda(), truth.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = count_maps(truth, decided(probs, normalized=normalized), 3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert found.cpu().equal(expected)
