"""Whether two runs differ by more than noise, where they differ and how alike they are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from answer_toys import answers, six

from comp.report.run.answers import OofAnswers
from comp.report.run.versus import (
    Difference,
    alike,
    class_gaps,
    difference,
    flips,
    group_gaps,
    verdict,
)


def coin(right: float, count: int = 300, groups: object = None, seed: int = 0) -> OofAnswers:
    """A binary run that has a share of its images right."""
    draw = np.random.default_rng(seed)
    target = np.arange(count) % 2
    hit = draw.random(count) < right
    probs = np.where(hit == (target == 1), 0.8, 0.2)[:, None]
    return answers("binary", target, probs, ("a", "b"), "accuracy", groups=groups)


def test_a_clear_lead_is_more_than_noise_and_a_narrow_one_is_not() -> None:
    good, bad, near = coin(0.95), coin(0.7, seed=1), coin(0.94, seed=2)
    clear = difference(bad, good, 0, 200)
    assert clear.certain
    assert clear.gain == pytest.approx(good.scores.honest - bad.scores.honest)
    assert clear.low < clear.gain < clear.high
    assert clear.share == 1.0
    assert not difference(near, good, 0, 200).certain
    assert verdict("bad", "good", "accuracy", clear, "images").startswith(
        f"good is better than bad by {clear.gain:.4f} accuracy, which is more than noise: 95 % "
    )
    assert "but that may be noise" in verdict(
        "a", "b", "f", difference(near, good, 0, 50), "images"
    )


def test_the_interval_is_that_of_the_differences_of_single_images() -> None:
    a, b = coin(0.8, 400, seed=3), coin(0.9, 400, seed=4)
    found = difference(a, b, 0, 1000)
    gaps = a.wrong.astype(float) - b.wrong
    error = gaps.std() / math.sqrt(len(gaps))
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_groups_are_drawn_whole_so_that_their_interval_is_wider() -> None:
    one, many = coin(0.8), coin(0.8)
    wrong = np.arange(300) < 60
    target = np.arange(300) % 2
    probs = np.where(wrong == (target == 1), 0.2, 0.8)[:, None]
    other = answers("binary", target, probs, ("a", "b"), "accuracy")
    groups = [str(row // 30) for row in range(300)]
    plain = difference(one, other, 0, 200)
    grouped = difference(replace(many, groups=groups), replace(other, groups=groups), 0, 200)
    assert plain.gain == grouped.gain
    assert grouped.high - grouped.low > 1.5 * (plain.high - plain.low)


def test_of_a_loss_the_smaller_one_is_the_gain() -> None:
    target = np.arange(40) % 2
    sharp = answers("binary", target, np.where(target, 0.9, 0.1)[:, None], ("a", "b"), "log_loss")
    dull = answers("binary", target, np.where(target, 0.6, 0.4)[:, None], ("a", "b"), "log_loss")
    found = difference(dull, sharp, 0, 20)
    assert found.gain == pytest.approx(math.log(0.9 / 0.6))
    assert found.certain


def test_runs_that_answer_alike_have_no_difference() -> None:
    found = difference(six(), six(), 0, 20)
    assert (found.gain, found.low, found.high, found.share, found.certain) == (0, 0, 0, 0.5, False)
    assert verdict("x", "y", "f", found, "images") == (
        "x and y answer alike: there is no difference in f."
    )
    undefined = Difference(math.nan, math.nan, math.nan, math.nan, 300)
    assert "is not defined" in verdict("x", "y", "f", undefined, "images")


def other() -> OofAnswers:
    """`six`, but row 3 is right and rows 0 and 1 are wrong, row 1 the most."""
    probs = six().probs.copy()
    probs[3], probs[0], probs[1] = [0.9, 0.1, 0], [0.4, 0.6, 0], [0.99, 0.01, 0]
    return answers("multiclass", six().target, probs, ("a", "b", "c"))


def test_flips_are_those_that_one_has_right_and_the_other_wrong() -> None:
    found = flips(six(), other(), 9)
    assert (found.both, found.first, found.second, found.neither) == (2, 2, 1, 1)
    assert found.rows == (1, 0, 3)
    assert flips(six(), other(), 1).rows == (1, 3)


def test_classes_and_groups_with_the_largest_gaps_come_first() -> None:
    a, b = six(), other()
    gaps = class_gaps(a, b)
    sizes = [abs(gap.gain) for gap in gaps]
    assert sizes == sorted(sizes, reverse=True)
    by_name = {gap.name: gap for gap in gaps}
    assert by_name["b"].first == pytest.approx(2 * 2 / (2 + 4))
    assert by_name["b"].second == pytest.approx(2 * 1 / (2 + 3))
    assert group_gaps(a, b, 5) == ([], 0)
    groups = ["x", "y", "z", "x", "y", "z"]
    found, count = group_gaps(replace(a, groups=groups), replace(b, groups=groups), 5)
    assert [(gap.name, gap.images, gap.first, gap.second) for gap in found] == [("y", 2, 1.0, 0.5)]
    assert count == 1


def test_numbers_are_compared_by_what_they_explain() -> None:
    target = np.linspace(0, 1, 9)[:, None]
    a = answers("regression", target, target, ("age",), "rmse")
    b = answers("regression", target, np.full_like(target, 0.5), ("age",), "rmse")
    (gap,) = class_gaps(a, b)
    assert (gap.first, gap.second) == pytest.approx((1.0, 0.0))
    assert math.isnan(alike(a, b).correlation)  # one of them says the same of all


def test_likeness_is_correlation_agreement_and_shared_errors() -> None:
    a, b = six(), other()
    found = alike(a, b)
    assert found.correlation == pytest.approx(np.corrcoef(a.probs.ravel(), b.probs.ravel())[0, 1])
    assert found.agreement == pytest.approx(3 / 6)
    assert found.shared == pytest.approx(1 / 4)
    assert alike(a, a).shared == 1.0


def test_with_few_groups_nothing_is_more_than_noise() -> None:
    """Two groups: one run is better in both, so each draw says so. That is a coin thrown twice."""
    good, bad = coin(0.95), coin(0.7, seed=1)

    def over(groups: int) -> Difference:
        names = [str(row % groups) for row in range(300)]
        return difference(replace(bad, groups=names), replace(good, groups=names), 0, 200)

    two, seven, many = over(2), over(7), over(30)
    assert (two.share, two.low > 0, two.units, two.certain) == (1.0, True, 2, False)
    told = verdict("bad", "good", "accuracy", two, "groups")
    assert told.startswith(f"good is ahead of bad by {two.gain:.4f} accuracy, but 2 groups are too")
    assert "%" not in told.replace("95 % interval", "")
    assert seven.certain
    assert many.certain
    few = "With 7 groups the interval is too narrow"
    assert few in verdict("bad", "good", "accuracy", seven, "groups")
    assert "too narrow" not in verdict("bad", "good", "accuracy", many, "groups")


def test_the_gain_is_that_of_the_honest_scores() -> None:
    """What is taken off a score for mixing is taken off in the gain and in its interval too."""
    a, b = coin(0.8), coin(0.9, seed=1)
    plain = difference(a, b, 0, 200)
    moved = difference(replace(a, mixed=0.03), replace(b, mixed=0.01), 0, 200)
    assert moved.gain == pytest.approx(plain.gain + 0.02)
    assert (moved.low, moved.high) == pytest.approx((plain.low + 0.02, plain.high + 0.02))
