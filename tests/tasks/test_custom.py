"""Metrics and losses from users' functions: what is refused, and with which words."""

import numpy as np
import pytest
import torch

from comp.core.errors import CompError, ConfigError, TrainError
from comp.tasks.custom import custom_loss, custom_metric
from comp.tasks.losses import Terms


def metric(function, **over):
    options = {"wants": "labels", "greater_is_better": True, "of": ("class",), **over}
    return custom_metric("mine", function, **options)


def test_a_metric_without_sample_weight_or_with_odd_options_is_refused() -> None:
    with pytest.raises(ConfigError, match="must take `sample_weight`"):
        metric(lambda target, answer: 0.0)
    with pytest.raises(ConfigError, match="wants is 'labels' or 'probs', not 'masks'"):
        metric(lambda target, answer, sample_weight: 0.0, wants="masks")
    with pytest.raises(ConfigError, match="of is some of 'class', 'columns', 'numbers'"):
        metric(lambda target, answer, sample_weight: 0.0, of=("pixels",))


def test_a_metric_that_fails_names_itself_and_the_error() -> None:
    def broken(target, answer, sample_weight):
        raise KeyError("no such thing")

    with pytest.raises(
        CompError, match=r"metric 'mine' \(test_custom\.py, line \d+\): KeyError: 'no such thing'"
    ):
        metric(broken).score(np.zeros(3, int), np.zeros(3, int), 2)


def test_rows_without_weight_do_not_reach_the_function() -> None:
    found = metric(lambda t, a, sample_weight: float(len(t))).weighted
    rows = np.array([[1.0, 0, 2], [0, 0, 0]])
    scores = found(np.zeros(3, int), np.zeros(3, int), 2, rows)
    assert scores[0] == 2
    assert np.isnan(scores[1])


def test_a_loss_of_another_shape_is_refused_with_what_to_do() -> None:
    logits, target = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
    mean = custom_loss("mine", lambda x, t: (x - t).mean(), links=("softmax",))
    with pytest.raises(TrainError, match=r"shape \(\) for logits of shape \(4, 3\)"):
        mean.make["softmax"](Terms())(logits, target)
    whole = custom_loss("mine", lambda x, t: x - t, links=("softmax",), whole_batch=True)
    with pytest.raises(TrainError, match="gives one number, not a tensor"):
        whole.make["softmax"](Terms())(logits, target)
    with pytest.raises(ConfigError, match="links are sigmoid, softmax"):
        custom_loss("mine", lambda x, t: x, links=("tanh",))


def test_class_weights_weigh_the_cells_of_a_loss() -> None:
    logits, target = torch.zeros(2, 2), torch.tensor([0, 1])
    loss = custom_loss("mine", lambda x, t: t, links=("softmax",)).make["softmax"]
    assert loss(Terms())(logits, target).item() == 1
    assert loss(Terms(weights=torch.tensor([3.0, 1.0])))(logits, target).item() == 2


def test_a_loss_of_the_whole_batch_cannot_leave_out_unknown_cells_and_says_so() -> None:
    whole = custom_loss(
        "mine", lambda z, t: ((z - t) ** 2).mean(), links=["sigmoid"], whole_batch=True
    )
    loss = whole.make["sigmoid"](Terms())
    logits = torch.zeros(1, 2)
    assert loss(logits, torch.tensor([[1.0, 0.0]])) == 0.5
    with pytest.raises(TrainError, match="loss 'mine': some cells are unknown"):
        loss(logits, torch.tensor([[1.0, -1.0]]))


def test_a_loss_of_cells_is_averaged_over_the_known_ones() -> None:
    cells = custom_loss("mine", lambda z, t: (z - t) ** 2, links=["sigmoid"])
    loss = cells.make["sigmoid"](Terms())
    logits = torch.tensor([[3.0, 5.0], [1.0, 7.0]])
    assert loss(logits, torch.tensor([[1.0, -1.0], [1.0, -1.0]])) == 2.0
