"""Evidence over masks: joined by id, read at the size of each image, honest about the folds."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_toys import Still, maps_of, mask_member

from comp.core.errors import TuneError
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.ensemble.evidence import Fit, Fitting
from comp.ensemble.mask_evidence import MaskEvidence, each_row, sample_pixels
from comp.ensemble.rules.regions import RegionRule, neutral_rule
from comp.ensemble.votes import VOTES
from comp.tasks.counts import IGNORED, count_pixels
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

ONE, OVER = TASKS["segmentation"], TASKS["multilabel_segmentation"]
KINDS = pytest.mark.parametrize("task", [ONE, OVER], ids=lambda task: task.name)
CLASSES = ("disc", "box")
SOFT = VOTES["soft"]
IDS = tuple("abcdef")
FOLD = np.arange(6) % 3
NEUTRAL = neutral_rule(2).table()


def true_masks(task: Any, seed: int = 0) -> list[np.ndarray]:
    """(L, 8, 8) of six images: squares of both classes, in every third image nothing."""
    draw = np.random.default_rng(seed)
    out = []
    for row in range(6):
        numbers = np.zeros((8, 8), np.uint8)
        for number in (1, 2) if row % 3 else ():
            top, left = draw.integers(0, 5, 2)
            numbers[top : top + 3, left : left + 3] = number
        layers = np.stack([numbers == 1, numbers == 2]).astype(np.uint8)
        out.append(numbers[None] if task is ONE else layers)
    return out


def evidence_of(
    task: Any,
    members: list[Any],
    masks: list[np.ndarray] | None = None,
    fold: Any = FOLD,
    metric: str = "dice",
    groups: Any = None,
) -> MaskEvidence:
    """Evidence of six images; members: maps (6, C, h, w), or predictions."""
    kept = true_masks(task) if masks is None else masks
    sources = Masks([Still(mask.transpose(1, 2, 0)) for mask in kept], task.layers(2))
    index = Index(IDS, tuple(map(Path, IDS)), CLASSES, groups=groups, masks=sources)
    oofs = [one if hasattr(one, "ids") else mask_member(task, IDS, one, CLASSES)
            for one in members]  # fmt: skip
    return MaskEvidence.of(task, METRICS[metric], index, np.asarray(fold), oofs)


def right(task: Any, sure: float = 0.8) -> np.ndarray:
    """The maps of a member that is always right."""
    return maps_of(task, true_masks(task), 2, sure)


def wrong(task: Any) -> np.ndarray:
    """The maps of a member that says the masks of other images."""
    return maps_of(task, true_masks(task, seed=1)[::-1], 2)


def equal(members: int) -> Fit:
    return Fit(np.full(members, 1 / members), NEUTRAL)


@KINDS
def test_members_are_joined_by_id_whatever_order_their_rows_have(task: Any) -> None:
    maps = right(task)
    turned = mask_member(task, IDS[::-1], maps[::-1], CLASSES)
    evidence = evidence_of(task, [maps, turned])
    assert (evidence.members, evidence.fold.tolist()) == (2, FOLD.tolist())
    counts = evidence.decide(SOFT, equal(2))
    assert counts.shape == (6, task.columns(2), 4)
    assert not counts[..., 1:3].any()
    assert evidence.score(counts) == 1.0


@KINDS
def test_answers_are_the_counts_of_what_the_vote_decides(task: Any) -> None:
    evidence = evidence_of(task, [right(task), wrong(task)])
    for weights, masks in (((1.0, 0.0), true_masks(task)), ((0.0, 1.0), true_masks(task, 1)[::-1])):
        counts = evidence.decide(SOFT, Fit(np.array(weights), NEUTRAL))
        pairs = zip(true_masks(task), masks, strict=True)
        assert counts.tolist() == [count_pixels(*pair, task.columns(2)).tolist() for pair in pairs]


@KINDS
def test_maps_are_scaled_to_the_size_of_the_image(task: Any) -> None:
    masks = true_masks(task)
    large = [np.kron(mask, np.ones((1, 2, 3), np.uint8)) for mask in masks]
    evidence = evidence_of(task, [right(task)], large)
    probs, truth = evidence.read(SOFT, np.ones(1), 1)
    assert (probs.shape, truth.shape) == ((task.columns(2), 16, 24), (task.layers(2), 16, 24))
    true, mask = evidence.masks(SOFT, equal(1), 1)
    assert true.tolist() == large[1].transpose(1, 2, 0).tolist()
    assert mask.shape == true.shape
    assert (mask == true).mean() > 0.9


def test_a_vote_by_ranks_is_not_for_masks() -> None:
    assert [vote.name for vote in evidence_of(ONE, [right(ONE)]).votes()] == [
        "soft", "geometric", "logit", "median", "trimmed", "hard",
    ]  # fmt: skip


def test_each_class_has_its_score_and_none_where_it_is_undefined() -> None:
    masks = true_masks(ONE)
    for mask in masks:
        mask[mask == 2] = 0
    evidence = evidence_of(ONE, [maps_of(ONE, masks, 2)], masks)
    assert evidence.class_scores(evidence.decide(SOFT, equal(1))) == {"disc": 1.0, "box": None}


def test_the_interval_draws_the_groups_of_the_index() -> None:
    members = [np.concatenate([right(ONE)[:3], wrong(ONE)[3:]])]
    grouped = evidence_of(ONE, members, groups=("g", "g", "g", "h", "h", "h"))
    counts = grouped.decide(SOFT, equal(1))
    low, high = grouped.interval(counts, 0)
    parts = [grouped.metric.score(part, part, 2) for part in (counts[3:], counts[:3])]
    assert (low, high) == (pytest.approx(parts[0]), pytest.approx(parts[1]))
    assert low < grouped.score(counts) < high
    plain = evidence_of(ONE, members).interval(counts, 0)
    assert plain != (low, high)


@KINDS
def test_where_nothing_is_fitted_all_scores_are_of_the_same_answers(task: Any) -> None:
    evidence = evidence_of(task, [right(task), wrong(task)])
    given = np.array([3.0, 1.0])
    found = evidence.cross_fit(SOFT, "greedy", Fitting(False, 0, given))
    assert found.fit.weights.tolist() == [0.75, 0.25]
    assert found.fit.rule.tolist() == NEUTRAL.tolist()
    assert found.raw.tolist() == evidence.decide(SOFT, found.fit).tolist()
    assert found.raw.tolist() == found.tuned.tolist() == found.honest.tolist()
    whole = evidence.fit(SOFT, "greedy", Fitting(False, 0, given))
    assert (whole.weights.tolist(), whole.rule.tolist()) == ([0.75, 0.25], NEUTRAL.tolist())


@KINDS
def test_thresholds_mend_a_shift_of_all_scores(task: Any) -> None:
    """Right, but never sure enough: at 0.4 of its class, or 0.4 to 0.5 of the background."""
    shifted = right(task).astype(float) * 0.5
    if task is ONE:
        shifted[:, 0] = 255 - shifted[:, 1:].sum(axis=1)
    evidence = evidence_of(task, [shifted.astype(np.uint8)])
    found = evidence.cross_fit(SOFT, "equal", Fitting(True, 0))
    assert evidence.score(found.raw) == 0.0
    assert evidence.score(found.tuned) == evidence.score(found.honest) == 1.0
    assert (found.fit.rule[:, 0] < 0.5).all()
    assert found.note.startswith("rule: thresholds")
    assert evidence.decide(SOFT, found.fit).tolist() == found.tuned.tolist()


@pytest.mark.parametrize("vote", ["soft", "hard"])
@KINDS
def test_a_search_for_weights_prefers_the_member_that_is_right(task: Any, vote: str) -> None:
    evidence = evidence_of(task, [wrong(task), right(task)])
    found = evidence.cross_fit(VOTES[vote], "greedy", Fitting(False, 0))
    assert found.fit.weights.tolist() == [0.0, 1.0]
    assert evidence.score(found.raw) == evidence.score(found.honest) == 1.0
    assert evidence.fit(VOTES[vote], "greedy", Fitting(False, 0)).weights.tolist() == [0.0, 1.0]


@KINDS
def test_the_honest_answers_of_a_fold_use_weights_from_the_other_folds(task: Any) -> None:
    """The second member is right in fold 1 alone, where most of the marked pixels are."""
    masks = true_masks(task)
    for row in (1, 4):
        masks[row] = np.ones_like(masks[row])
        if task is OVER:
            masks[row][1] = 0
    first, second = maps_of(task, masks, 2), maps_of(task, masks, 2)
    nothing = maps_of(task, [np.zeros_like(mask) for mask in masks], 2)
    in_one = FOLD == 1
    first[in_one], second[~in_one] = nothing[in_one], nothing[~in_one]
    evidence = evidence_of(task, [first, second], masks)
    found = evidence.cross_fit(SOFT, "greedy", Fitting(False, 0))
    said = found.honest[:, -2:, 0] + found.honest[:, -2:, 1]
    assert said[in_one].sum() == 0
    assert evidence.score(found.honest) < evidence.score(found.raw)


def test_weights_cannot_be_searched_on_one_fold() -> None:
    evidence = evidence_of(ONE, [right(ONE), wrong(ONE)], fold=np.zeros(6, int))
    with pytest.raises(TuneError, match="1 folds to cross-fit"):
        evidence.cross_fit(SOFT, "greedy", Fitting(False, 0))
    assert evidence.cross_fit(SOFT, "equal", Fitting(True, 0)).fit.rule.tolist() == NEUTRAL.tolist()


@KINDS
def test_sampled_pixels_have_their_truth_their_fold_and_what_each_member_says(task: Any) -> None:
    masks = true_masks(task)
    masks[1][:, :2] = IGNORED
    maps = right(task)
    turned = mask_member(task, IDS[::-1], maps[::-1], CLASSES)
    sample = sample_pixels(evidence_of(task, [maps, turned], masks))
    judged = np.array([(mask != IGNORED).all(axis=0).sum() for mask in masks])
    assert judged.tolist() == [64, 48, 64, 64, 64, 64]
    assert sample.fold.tolist() == np.repeat(FOLD, judged).tolist()
    assert sample.probs[0].tolist() == sample.probs[1].tolist()
    if task is ONE:
        np.testing.assert_allclose(sample.probs[0].sum(axis=1), 1, atol=1e-6)
        assert sample.probs[0].argmax(axis=1).tolist() == sample.target.tolist()
    else:
        assert (sample.probs[0] > 0.5).astype(int).tolist() == sample.target.tolist()


def test_doubted_masks_come_by_their_dice_and_each_image_is_shown_once() -> None:
    maps = right(OVER)
    maps[4] = maps_of(OVER, [np.zeros((2, 8, 8), np.uint8)], 2)[0]
    evidence = evidence_of(OVER, [maps])
    issues = evidence.label_issues()
    assert [(i.id, i.label, i.given, i.likely, i.margin, i.sure) for i in issues[:2]] == [
        ("e", "disc", "marked", "nothing", 0.0, True),
        ("e", "box", "marked", "nothing", 0.0, True),
    ]
    assert [issue.margin for issue in issues[2:]] == [1.0] * 6
    shown = evidence.to_show(issues, 3)
    assert [issue.id for issue in shown] == ["e", "b", "c"]
    (title, marked), (other, predicted) = evidence.pictures(shown[0])
    assert (title, other) == ("marked  e", "predicted  e")
    assert marked is not None
    assert predicted is not None
    assert marked.tolist() == true_masks(OVER)[4].transpose(1, 2, 0).tolist()
    assert not predicted.any()


def test_rows_come_in_their_order_also_when_the_first_takes_longest() -> None:
    first_may_end = threading.Event()

    def work(row: int) -> int:
        first_may_end.wait() if row == 0 else first_may_end.set()
        return row

    assert list(each_row(work, 12, "waiting")) == list(range(12))


def test_the_rule_of_a_fit_is_a_table_of_regions() -> None:
    rule = RegionRule(np.array([128, 128]), np.array([0, 10]), np.array([0, 0])).table()
    counts = evidence_of(OVER, [right(OVER)]).decide(SOFT, Fit(np.ones(1), rule))
    assert counts[:, 0, 0].tolist() == [mask[0].sum() for mask in true_masks(OVER)]
    assert counts[:, 1, 0].sum() == 0
