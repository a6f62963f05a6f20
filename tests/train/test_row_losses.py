from __future__ import annotations

import pytest
import torch
from cards import Waits

from comp.tasks.kinds import LINKS
from comp.tasks.losses import LOSSES, Terms, make_loss
from comp.train.row_losses import by_row, weighed_loss

PAIRS = [
    (name, family)
    for name, entry in LOSSES.items()
    for family in entry.make
    if entry.rows and not entry.regions
]


def case(family: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (5, 3) and a target as the loss takes it."""
    draw = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 3, generator=draw)
    if family in ("identity", "grade"):
        return torch.randn(5, 6, generator=draw), torch.randn(5, 3, generator=draw)
    if family == "softmax":
        return logits, torch.tensor([0, 2, 1, 1, 0])
    return logits, (torch.rand(5, 3, generator=draw) < 0.5).float()


@pytest.mark.parametrize(("name", "family"), PAIRS)
def test_every_mean_over_images_is_weighted_image_by_image(name: str, family: str) -> None:
    logits, target = case(family)
    terms = Terms(margins=torch.tensor([0.1, 0.2, 0.3]), smoothing=0.0, scale=8.0)
    loss = make_loss(name, family, terms)
    alone = torch.stack([loss(logits[k : k + 1], target[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(by_row(loss, logits, target), alone)
    torch.testing.assert_close(loss(logits, target), alone.mean())
    weights = torch.tensor([0.0, 2.0, 0.5, 1.0, 1.5])
    torch.testing.assert_close(
        weighed_loss(loss, logits, target, weights, unknown=False), (weights * alone).sum() / 5
    )


@pytest.mark.parametrize(("name", "family"), PAIRS)
def test_no_loss_waits_for_the_device(name: str, family: str) -> None:
    logits, target = case(family)
    logits.requires_grad_()
    terms = Terms(margins=torch.tensor([0.1, 0.2, 0.3]), smoothing=0.1, scale=8.0)
    loss = make_loss(name, family, terms)
    with Waits() as seen:
        loss(logits, target).backward()
        for unknown in (False, family in ("sigmoid", "steps")):
            weighed_loss(loss, logits, target, torch.ones(5), unknown=unknown).backward()
    assert seen.waits == []


def test_a_number_that_looks_unknown_is_none() -> None:
    outputs, target = torch.zeros(2, 2), torch.tensor([[-1.0, 2.0], [3.0, 1.0]])
    loss, weights = make_loss("mse", "identity"), torch.tensor([2.0, 0.0])
    assert weighed_loss(loss, outputs, target, weights, unknown=False).item() == 2.5


def test_unknown_cells_cost_nothing_whatever_their_weight() -> None:
    logits, target = case("sigmoid")
    target[1, 0] = target[1, 1] = -1
    loss = make_loss("bce", "sigmoid")
    ones = torch.ones(5)
    same = weighed_loss(loss, logits, target, ones, unknown=True)
    torch.testing.assert_close(same, loss(logits, target))
    cells = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, target.clamp_min(0), reduction="none"
    )
    weights = torch.tensor([0.0, 2.0, 0.5, 1.0, 1.5])
    expected = (cells * weights[:, None] * (target != -1)).sum() / 13
    found = weighed_loss(loss, logits, target, weights, unknown=True)
    torch.testing.assert_close(found, expected)


def test_the_gradient_of_an_image_of_no_weight_is_zero() -> None:
    logits, target = case("softmax")
    logits.requires_grad_()
    assert LINKS["softmax"].family == "softmax"
    loss = make_loss("ce", "softmax")
    weighed_loss(loss, logits, target, torch.eye(5)[2], unknown=False).backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum(dim=1) > 0).tolist() == [False, False, True, False, False]
