"""Losses of overlap against their formulas, written out."""

from __future__ import annotations

import pytest
import torch

from comp.tasks.counts import IGNORED
from comp.tasks.overlap_losses import OVERLAPS, make_overlap

draw = torch.Generator().manual_seed(3)
LOGITS = torch.randn((2, 3, 5, 6), generator=draw)
CELLS = (torch.rand((2, 3, 5, 6), generator=draw) > 0.6).long()
CLASSES = torch.randint(0, 3, (2, 5, 6), generator=draw)
COSTS = (0.3, 0.7)


def overlap(name: str, probs: torch.Tensor, truth: torch.Tensor) -> float:
    """The mean over classes of 1 - overlap, over all pixels of the batch, smoothed by a pixel."""
    over = (0, 2, 3)
    hits, given, true = (probs * truth).sum(over), probs.sum(over), truth.sum(over)
    ratio = {
        "dice": (hits + 1) / ((given + true) / 2 + 1),
        "jaccard": (hits + 1) / (given + true - hits + 1),
        "tversky": (hits + 1) / (hits + COSTS[0] * (given - hits) + COSTS[1] * (true - hits) + 1),
    }[name]
    return float(((1 - ratio) * (true > 0)).mean())


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky"])
def test_a_loss_is_one_minus_the_overlap_of_each_class(name: str) -> None:
    cells = make_overlap(name, "sigmoid", COSTS)(LOGITS, CELLS)
    assert float(cells) == pytest.approx(overlap(name, LOGITS.sigmoid(), CELLS), rel=1e-4)
    truth = torch.nn.functional.one_hot(CLASSES, 3).permute(0, 3, 1, 2)
    classes = make_overlap(name, "softmax", COSTS)(LOGITS, CLASSES)
    assert float(classes) == pytest.approx(overlap(name, LOGITS.softmax(1), truth), rel=1e-4)


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize("name", OVERLAPS)
def test_sure_and_right_costs_nothing_and_sure_and_wrong_nearly_all(name: str, link: str) -> None:
    truth = torch.nn.functional.one_hot(CLASSES, 3).permute(0, 3, 1, 2)
    target = CLASSES if link == "softmax" else truth
    loss = make_overlap(name, link, COSTS)
    right = 40.0 * (2 * truth - 1)
    assert float(loss(right, target)) == pytest.approx(0, abs=1e-3)
    assert float(loss(-right, target)) > 0.5


@pytest.mark.parametrize("name", OVERLAPS)
def test_pixels_that_are_ignored_change_nothing(name: str) -> None:
    target = CLASSES.clone()
    target[:, 0] = IGNORED
    other = LOGITS.clone()
    other[:, :, 0] = 9 * LOGITS[:, :, 0].flip(1)
    loss = make_overlap(name, "softmax", COSTS)
    torch.testing.assert_close(loss(LOGITS, target), loss(other, target))
