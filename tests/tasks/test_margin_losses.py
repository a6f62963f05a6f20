"""Margins between classes: the angles and cosines that the papers name, and the class sizes."""

import math

import numpy as np
import pytest
import torch

from comp.tasks.losses import Terms, make_loss
from comp.tasks.margin_losses import MARGINS, class_margins, with_margin


def test_the_rarest_class_has_the_whole_margin() -> None:
    assert class_margins(np.array([160, 10, 0]), 0.4, 0.0).tolist() == pytest.approx([0.4] * 3)
    assert class_margins(np.array([160, 10, 40]), 0.4, 0.25) == pytest.approx(
        [0.2, 0.4, 0.4 / math.sqrt(2)]
    )


def test_arcface_adds_to_the_angle_and_cosface_takes_from_the_cosine() -> None:
    angles, margins = torch.tensor([[0.5, 1.5, 3.0]]), torch.full((3,), 0.3)
    found = MARGINS["arcface"](angles.cos(), margins)
    assert found[0, :2].tolist() == pytest.approx([math.cos(0.8), math.cos(1.8)], abs=1e-6)
    assert found[0, 2] < math.cos(3.0)  # beyond 180 degrees it goes on falling
    assert MARGINS["cosface"](angles.cos(), margins)[0].tolist() == pytest.approx(
        (angles.cos() - 0.3)[0].tolist()
    )


@pytest.mark.parametrize("kind", sorted(MARGINS))
def test_only_the_own_class_gets_the_margin_and_a_mixture_a_part(kind: str) -> None:
    logits, margins = 30 * torch.tensor([[0.8, 0.1, -0.5]]), torch.full((3,), 0.3)
    own = with_margin(kind, logits, torch.tensor([[1.0, 0, 0]]), margins, 30.0)
    assert own[0, 1:].tolist() == pytest.approx(logits[0, 1:].tolist(), abs=1e-4)
    assert own[0, 0] < logits[0, 0] - 3
    half = with_margin(kind, logits, torch.tensor([[0.5, 0.5, 0]]), margins, 30.0)
    assert float(logits[0, 0] - half[0, 0]) == pytest.approx(float(logits[0, 0] - own[0, 0]) / 2)


@pytest.mark.parametrize("kind", sorted(MARGINS))
def test_the_loss_is_cross_entropy_behind_the_margin(kind: str) -> None:
    logits = 30 * torch.rand((4, 3), generator=torch.Generator().manual_seed(0)) - 10
    target, margins = torch.tensor([0, 2, 1, 1]), torch.full((3,), 0.2)
    made = make_loss(kind, "softmax", Terms(margins=margins, scale=30.0))
    loss = made(logits, target)
    hot = torch.nn.functional.one_hot(target, 3).float()
    entropy = torch.nn.functional.cross_entropy
    assert float(loss) == pytest.approx(
        float(entropy(with_margin(kind, logits, hot, margins, 30.0), target))
    )
    assert float(loss) > float(entropy(logits, target))
    made(logits.requires_grad_(), target).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    plain = make_loss(kind, "softmax", Terms())(logits.detach(), target)
    assert float(plain) == pytest.approx(float(entropy(logits.detach(), target)))
