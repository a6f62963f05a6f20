import pytest
import torch

from comp.errors import ConfigError
from comp.losses import LOSSES, make_loss
from comp.tasks import LINKS


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_finite_on_sure_logits_and_falls_with_a_better_answer(name: str) -> None:
    link = LINKS[LOSSES[name].link]
    loss = make_loss(name, link.name)
    target = torch.tensor([[1, 0, 0], [0, 0, 1]])
    target = target if link.name == "sigmoid" else target.argmax(1)
    good = torch.tensor([[4.0, -4.0, -4.0], [-4.0, -4.0, 4.0]])
    values = [
        loss(logits, link.loss_target(target, logits)) for logits in (good, 0 * good, -100 * good)
    ]
    assert torch.isfinite(torch.stack(values)).all()
    assert values[0] < values[1] < values[2]


def test_cross_entropy_and_bce_are_those_of_the_textbook() -> None:
    logits = torch.tensor([[0.0, 1.0]])
    ce = make_loss("ce", "softmax")(logits, torch.tensor([1]))
    torch.testing.assert_close(ce, torch.log(1 + torch.exp(torch.tensor(-1.0))))
    bce = make_loss("bce", "sigmoid")(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    torch.testing.assert_close(bce, torch.log(torch.tensor(2.0)))


def test_label_smoothing_moves_the_target() -> None:
    logits = torch.tensor([[2.0]])
    smooth = make_loss("bce", "sigmoid", 0.2)(logits, torch.tensor([[1.0]]))
    plain = make_loss("bce", "sigmoid")
    want = 0.9 * plain(logits, torch.ones(1, 1)) + 0.1 * plain(logits, torch.zeros(1, 1))
    torch.testing.assert_close(smooth, want)


def test_a_loss_of_the_other_link_is_refused_with_those_that_fit() -> None:
    with pytest.raises(ConfigError, match=r"'ce' is for softmax outputs.*use one of: bce"):
        make_loss("ce", "sigmoid")
    with pytest.raises(ConfigError, match=r"unknown loss 'bec'.*Did you mean 'bce'"):
        make_loss("bec", "sigmoid")
