"""How sure an agreement is, from the agreements of all pairs."""

from __future__ import annotations

import numpy as np

from comp.check.duplicates.pair_evidence import confidence, expected_chance


def test_agreements_that_fall_off_like_chance_are_not_believed() -> None:
    hands = np.repeat(np.arange(6, 30), [int(800 * 0.75**k) for k in range(24)])
    assert confidence(hands).max() < 0.5


def test_agreements_apart_from_chance_are_believed() -> None:
    tiles = np.array([0] * 5000 + [6] * 4 + [7] * 2 + [60, 80, 100, 120, 140])
    sure = confidence(tiles)
    assert sure[-5:].tolist() == [0.98] * 5
    assert sure[:5006].max() == 0


def test_more_agreement_is_never_less_sure() -> None:
    counts = np.array([7] * 100 + [20] * 50 + [28])
    usual, most = confidence(counts)[[100, 150]]
    assert 0.5 < usual <= most


def test_one_lonely_small_agreement_among_many_pairs_is_chance() -> None:
    assert confidence(np.array([0] * 5000 + [8])).max() < 0.5
    assert confidence(np.array([0] * 50 + [8])).max() == 0.85


def test_agreements_that_do_not_fall_off_like_chance_are_real() -> None:
    cars = np.repeat(np.arange(6, 20), [2, 6, 12, 9, 10, 10, 12, 8, 4, 8, 6, 12, 3, 6])
    usual = confidence(np.concatenate([np.zeros(11_000, np.int64), cars]))
    assert usual[11_000 + 29] >= 0.8  # in 10 features
    assert usual[11_000 + 19] < 0.8  # in 8


def test_names_that_say_nothing_are_not_believed() -> None:
    everywhere = np.array([6] * 133 + [7] * 100 + [0] * 9767)
    rate = expected_chance(everywhere)
    assert round(rate, 4) == 0.01
    assert confidence(np.array([8] * 5 + [0] * 495), rate * 500).max() < 0.8
    assert confidence(np.array([12] * 200 + [0] * 300), rate * 500).max() == 0.9


def test_no_pairs_have_no_confidence() -> None:
    assert confidence(np.zeros(0, np.int64)).shape == (0,)
