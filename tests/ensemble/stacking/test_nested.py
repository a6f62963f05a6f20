"""A second level is nested: what is told of a fold never comes from that fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from comp.core.errors import TuneError
from comp.ensemble.stacking.models import SECONDS
from comp.ensemble.stacking.nested import Level, choose_strength, log_cost, stack
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import TASKS

BINARY = TASKS["binary"]


def level(rows: int = 90, seed: int = 0) -> Level:
    draw = np.random.default_rng(seed)
    target = np.arange(rows) % 2
    answers = draw.normal(0, 1, (rows, 2)) + target[:, None]
    sex = [["m", "f"][number] for number in draw.integers(0, 2, rows)]
    return Level(BINARY, 1, answers, [sex], target, np.arange(rows) // 2 % 3)


def test_the_targets_of_a_fold_do_not_touch_its_answers() -> None:
    one = level()
    turned = replace(one, target=np.where(one.fold == 1, 1 - one.target, one.target))
    found = [stack(x, SECONDS["logistic"], one.answers[:5], [["m"] * 5]) for x in (one, turned)]
    assert (found[0].oof[one.fold == 1] == found[1].oof[one.fold == 1]).all()
    assert (found[0].oof[one.fold != 1] != found[1].oof[one.fold != 1]).any()
    assert found[0].test.shape == (5, 1)


def test_on_noise_the_answers_are_no_better_than_chance() -> None:
    gaps = []
    for seed in range(4):
        draw = np.random.default_rng(seed)
        noise = replace(level(), answers=draw.normal(0, 1, (90, 6)))
        oof = stack(noise, SECONDS["logistic"], noise.answers[:1], [["m"]]).oof
        even = np.full_like(oof, 0.5)
        gaps.append(log_cost(BINARY, noise.target, oof) - log_cost(BINARY, noise.target, even))
    assert np.mean(gaps) > -1


def test_one_fold_has_nothing_to_be_nested_in() -> None:
    one = replace(level(), fold=np.zeros(90, int))
    assert choose_strength(one, SECONDS["logistic"]) == SECONDS["logistic"].strengths[0]
    with pytest.raises(TuneError):
        stack(one, SECONDS["logistic"], one.answers[:1], [["m"]])


def test_unknown_cells_cost_nothing() -> None:
    task = TASKS["multilabel"]
    probs = np.array([[0.9, 0.1]])
    both = log_cost(task, np.array([[1, 0]]), probs)
    assert both == pytest.approx(-2 * np.log(0.9))
    assert log_cost(task, np.array([[1, UNKNOWN]]), probs) == pytest.approx(both / 2)
