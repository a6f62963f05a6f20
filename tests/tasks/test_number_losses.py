import pytest
import torch
from torch.nn import functional

from comp.tasks.losses import Terms, make_loss
from comp.tasks.number_losses import outputs_per_number


def test_losses_of_numbers_are_those_of_torch() -> None:
    draw = torch.Generator().manual_seed(0)
    target, outputs = (torch.randn((6, 2), generator=draw) for _ in range(2))
    assert make_loss("mse", "identity")(outputs, target) == functional.mse_loss(outputs, target)
    assert make_loss("mae", "identity")(outputs, target) == functional.l1_loss(outputs, target)
    huber = make_loss("huber", "identity")(outputs, target)
    torch.testing.assert_close(huber, functional.huber_loss(outputs, target))
    expected = torch.log(torch.cosh(outputs - target)).mean()
    torch.testing.assert_close(make_loss("log_cosh", "identity")(outputs, target), expected)
    far = make_loss("log_cosh", "identity")(torch.full((1, 1), 1e6), torch.zeros(1, 1))
    assert far.item() == pytest.approx(1e6)


def test_the_gaussian_loss_takes_a_variance_beside_each_number() -> None:
    target, mean, log = torch.tensor([[3.0]]), torch.tensor([[5.0]]), torch.tensor([[0.7]])
    loss = make_loss("gaussian_nll", "identity", Terms(spread=torch.tensor([2.0])))
    found = loss(torch.cat([mean, log], dim=1), target)
    expected = functional.gaussian_nll_loss(mean / 2, target / 2, log.exp())
    torch.testing.assert_close(found, expected)
    assert outputs_per_number("gaussian_nll") == outputs_per_number({"gaussian_nll": 1.0}) == 2
    assert outputs_per_number("auto") == 1
