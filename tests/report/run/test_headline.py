"""Sentences are said where the numbers carry them, and not otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from answer_toys import curve

from comp.ensemble.compare import Scores
from comp.ensemble.cross_fit import few_units_text
from comp.report.run import headline
from comp.report.run.curves import Reliability
from comp.report.run.tables import ClassRow, Slice

NAN = math.nan
SCORES = Scores(0.9, 0.92, 0.9, 0.88, 0.92)


def row(name: str, f1: float, support: int = 100) -> ClassRow:
    return ClassRow(name, support, support, f1, f1, f1, 0.9, 0.9, None)


def test_the_score_has_its_interval_and_says_when_it_is_cross_fitted() -> None:
    assert headline.score_text("macro_f1", SCORES, 100, 5) == (
        "macro_f1 0.9000 (95 % interval 0.8800 to 0.9200), on 100 out-of-fold images of 5 folds."
    )
    bare = Scores(0.9, 0.9, 0.91, NAN, NAN)
    assert headline.score_text("qwk", bare, 7, 1) == (
        "qwk 0.9100, cross-fitted, on 7 out-of-fold images of 1 fold."
    )


def test_an_interval_from_few_groups_says_so() -> None:
    told = headline.score_text("qwk", SCORES, 100, 5, few_units_text(3, ["a"]))
    assert told == (
        "qwk 0.9000 (95 % interval 0.8800 to 0.9200, from 3 groups only, so it is too narrow), on "
        "100 out-of-fold images of 5 folds."
    )


def test_a_score_of_other_answers_says_why() -> None:
    assert headline.sent_text(SCORES, 0.9, 0.0, kept=True) == ""
    told = headline.sent_text(SCORES, 0.91, 0.01, kept=True)
    assert "they score 0.9100. The score of the run, 0.9000, is corrected by -0.0100" in told
    assert "cross-fitted" in told
    assert "choice" not in told
    told = headline.sent_text(SCORES, 0.93, 0.0, kept=False)
    assert "without a tuned rule: they score 0.9300" in told
    assert "counts the choice whether a tuned rule is used" in told
    assert "corrected" not in told


def test_epochs_and_time_are_summed_up() -> None:
    folds = [curve(0), curve(1, (0.1, 0.2, 0.3), seconds=90)]
    assert headline.training_text(folds, "macro_f1") == (
        "2 folds of 2 to 3 epochs in 2 min (60 s per fold); best epochs 2, 3, with macro_f1 "
        "0.7000, 0.3000."
    )
    assert " in " not in headline.training_text([curve(0, seconds=None)], "m").split(";")[0]
    assert [headline.duration(s) for s in (45, 720, 12240)] == ["45 s", "12 min", "3.4 h"]


def test_a_run_that_still_improves_should_train_longer() -> None:
    (hint,) = headline.about_training([curve(0), curve(1)])
    assert "last one in 2 of 2 folds: train longer (train.epochs above 2)" in hint
    assert headline.about_training([curve(0, best_epoch=1), curve(1, early=True)]) == []


def test_a_validation_loss_that_rises_is_overfitting() -> None:
    over = curve(0, best_epoch=1)
    over.columns["valid_loss"] = np.array([0.5, 1.0])
    (hint,) = headline.about_training([over])
    assert "rises again in 1 of 1 folds (by up to 100% over its lowest)" in hint


@pytest.mark.parametrize(("last", "said"), [(0.3, True), (0.88, False)])
def test_a_fold_that_stands_apart_is_named(last: float, said: bool) -> None:
    folds = [curve(n, (value,)) for n, value in enumerate((0.9, 0.91, last))]
    hints = headline.about_folds(folds, SCORES, True)
    assert bool(hints) is said
    if said:
        assert hints[0].startswith("Fold 2 scores 0.3000, the others 0.9050 on average")


def test_of_losses_the_highest_fold_stands_apart() -> None:
    folds = [curve(n, (value,)) for n, value in enumerate((0.1, 3.0, 0.1))]
    assert headline.about_folds(folds, SCORES, False)[0].startswith("Fold 1 scores 3.0000")


def test_a_rule_that_gains_is_told_and_one_that_does_not_is_not() -> None:
    (hint,) = headline.about_rule(Scores(0.8, 0.9, 0.85, 0.8, 0.9), True, kept=True)
    assert hint.startswith("The tuned rule gains 0.0500 (from 0.8000 untuned)")
    assert headline.about_rule(SCORES, True, kept=True) == []
    assert headline.about_rule(Scores(0.8, 0.9, 0.85, 0.8, 0.9), False, kept=True) == []
    assert headline.about_rule(Scores(0.8, 0.9, 0.85, 0.8, 0.9), True, kept=False) == []


def test_the_class_that_costs_most_is_named_with_its_size() -> None:
    rows = [row("a", 0.9), row("b", 0.9), row("c", 0.4, 7)]
    (hint,) = headline.about_classes(rows)
    assert hint.startswith("Class c has an F1 of 0.40, the median class 0.90. It has only 7 images")
    assert headline.about_classes([row("a", 0.9), row("b", 0.9), row("c", 0.8)]) == []


def test_a_pair_with_much_of_the_errors_is_named() -> None:
    table = np.array([[9, 8, 0], [2, 9, 0], [0, 0, 9]])
    (hint,) = headline.about_pairs(table, ("a", "b", "c"))
    assert hint.startswith("80% of all confusions are one pair: a answered b (8 of 10)")
    even = np.array([[9, 4, 3], [3, 9, 3], [3, 3, 9]])
    assert headline.about_pairs(even, ("a", "b", "c")) == []  # so much is chance
    assert headline.about_pairs(np.eye(3, dtype=int), ("a", "b", "c")) == []
    many = np.diag([9] * 10)
    many[[5, 1, 2, 3, 4, 6, 7, 8, 9, 0], [9, 2, 3, 4, 5, 7, 8, 9, 0, 1]] = 1
    many[5, 9] = 3  # 3 of 12 among 90 pairs
    names = tuple("0123456789")
    assert headline.about_pairs(many, names) == []
    many[5, 9] = 4
    assert "5 answered 9 (4 of 13)" in headline.about_pairs(many, names)[0]


def test_calibration_labels_regions_and_slices_speak_above_their_limits() -> None:
    off = Reliability(np.zeros(1), np.zeros(1), np.ones(1), 0.1, 0.08)
    assert headline.about_calibration(off)[0].startswith("The probabilities are too sure: they are")
    assert headline.about_calibration(Reliability(off.said, off.right, off.count, 0.01, 0)) == []
    assert headline.about_labels(1, 9, 18)[0].startswith("1 label of 9 images is doubted")
    assert headline.about_labels(0, 9, 9) == headline.about_labels(5, 9, 9) == []
    assert headline.about_regions({"a": 0.01, "b": 0.5, "c": None})[0].startswith("1 of 3 classes")
    assert headline.about_regions({"a": 0.5}) == []


def part(kind: str, wrong: float, units: int) -> Slice:
    return Slice(kind, "lowest fifth", 100, 0.5, 0.4, 0.6, wrong, units)


def test_images_of_which_more_are_wrong_than_chance_gives_are_named() -> None:
    (hint,) = headline.about_slices([part("brightness", 0.5, 100), part("size", 0.3, 100)], 0.1)
    assert hint.startswith("Of the images of brightness lowest fifth, 50% are wrong, of all 10%")
    (hint,) = headline.about_slices([part("size", 0.5, 100)], 0.1, "numbers")
    assert hint.startswith(
        "Of the images of size lowest fifth, 50% are off by more than a usual error, of all 10%"
    )
    assert headline.about_slices([part("brightness", 0.5, 4)], 0.1) == []  # of four groups
    assert headline.about_slices([part("fold", 0.5, 100)], 0.1) == []
    assert headline.about_slices([part("size", 0.0, 100)], 0.0) == []
    assert headline.about_slices([part("size", 1.0, 100)], 1.0) == []
