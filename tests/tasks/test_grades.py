"""Grades: what networks learn of them, and what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from comp.core.errors import TuneError
from comp.tasks.grades import (
    as_number,
    as_steps,
    between_cuts,
    coral,
    expected_grade,
    fixed_probs,
    grade_mae,
    learned_probs,
    step_log_odds,
)

PLACES = torch.arange(3.0)  # four grades


def test_a_number_becomes_its_two_neighbours_and_is_expected_again() -> None:
    numbers = torch.tensor([[-1.0], [0.25], [2.0], [2.7], [9.0]])
    probs = fixed_probs(numbers - PLACES)
    assert probs[1].tolist() == [0.75, 0.25, 0, 0]
    want = numbers.clamp(0, 3)[:, 0].double().numpy()
    assert expected_grade(probs.numpy()) == pytest.approx(want)


def test_cumulative_logits_become_probabilities_even_out_of_order() -> None:
    probs = learned_probs(torch.tensor([[2.0, 0.0, -2.0], [0.0, 1.0, -1.0]]))
    torch.testing.assert_close(probs.sum(1), torch.ones(2))
    assert (probs >= 0).all()
    assert probs[0, 3].item() == pytest.approx(1 / (1 + np.exp(2)))
    assert probs[1].tolist()[:2] == pytest.approx([0.5, 0.0])


def test_soft_targets_are_mixtures_of_hard_ones() -> None:
    hard = torch.tensor([0, 3, 1])
    soft = torch.nn.functional.one_hot(hard, 4).float()
    for learned in (as_number, as_steps):
        torch.testing.assert_close(
            learned(soft, torch.zeros(3, 3)), learned(hard, torch.zeros(3, 3))
        )
    assert as_number(torch.tensor([[0.5, 0, 0, 0.5]]), PLACES).tolist() == [[1.5]]
    assert as_steps(hard, torch.zeros(3, 3)).tolist() == [[0, 0, 0], [1, 1, 1], [1, 0, 0]]


def test_coral_is_the_sum_of_cross_entropies_and_begins_at_the_prior() -> None:
    steps, target = torch.tensor([[1.0, 0.5, -2.0]]), torch.tensor([[1.0, 1.0, 0.0]])
    want = binary_cross_entropy_with_logits(steps, target, reduction="sum")
    torch.testing.assert_close(coral(0.0)(steps, target), want)
    shares = np.array([0.5, 0.2, 0.2, 0.1])
    start = torch.from_numpy(step_log_odds(shares, 1e-3))[None]
    assert learned_probs(start)[0].tolist() == pytest.approx(shares.tolist())


def test_cut_points_decide_and_mistakes_are_counted_in_grades() -> None:
    probs = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0.1, 0.9]])
    assert between_cuts(probs, np.array([-0.5, 0.5, 1.5])).tolist() == [0, 1, 2]
    assert between_cuts(probs, np.array([-0.5, 0.6, 1.95])).tolist() == [0, 0, 1]
    with pytest.raises(TuneError, match=r"a rule of shape \(2,\) for 3 columns"):
        between_cuts(probs, np.zeros(2))
    weights = np.array([[1.0, 1, 1], [0, 2, 1], [0, 0, 0]])
    found = grade_mae(np.array([0, 2, 1]), np.array([0, 0, 2]), 3, weights)
    assert found[:2].tolist() == pytest.approx([1.0, 5 / 3])
    assert np.isnan(found[2])
