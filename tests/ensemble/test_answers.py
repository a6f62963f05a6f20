"""What a blend says of the test images: joined by id, table or masks, scored where known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_toys import PLAN, Still, maps_of, mask_member
from toys import save

from comp.core.errors import PlanError, PredictionsError
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.ensemble.answers import MaskAnswers, TableAnswers, answer_table
from comp.ensemble.blend import Blend
from comp.ensemble.compare import Scores
from comp.ensemble.prior import Shift
from comp.ensemble.rules.regions import RegionRule, neutral_rule
from comp.ensemble.votes import VOTES
from comp.inference.predictions import Predictions
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

BINARY, ONE, OVER = (TASKS[n] for n in ("binary", "segmentation", "multilabel_segmentation"))
KINDS = pytest.mark.parametrize("task", [ONE, OVER], ids=lambda task: task.name)
CLASSES = ("no", "yes")
SCORES = Scores(0.0, 0.0, 0.0, 0.0, 0.0)


def blend_of(rule: Any, weights: Any = (0.5, 0.5), vote: str = "soft") -> Blend:
    names = tuple(f"fold {number}" for number in range(len(weights)))
    return Blend(names, VOTES[vote], tuple(weights), np.asarray(rule), SCORES)


def member(ids: Any, probs: Any, plan: str = PLAN, classes: Any = CLASSES) -> Predictions:
    column = np.asarray(probs, dtype=np.float32).reshape(-1, 1)
    return Predictions(tuple(ids), column, classes, "sigmoid", {"plan": plan, "fold": 0})


def index_of(ids: Any) -> Index:
    return Index(tuple(ids), tuple(Path(i) for i in ids), CLASSES)


def answered(blend: Blend, members: list[Predictions], ids: Any, **more: Any) -> TableAnswers:
    return answer_table(blend, members, index_of(ids), BINARY, PLAN, **more)


def test_members_in_any_order_of_rows_give_the_same_answer() -> None:
    ids = ("t1", "t2", "t3")
    one = [member(["t1", "t2", "t3"], [0.1, 0.2, 0.9]), member(["t1", "t2", "t3"], [0.3, 0.4, 0.9])]
    two = [member(["t3", "t1", "t2"], [0.9, 0.1, 0.2]), member(["t2", "t3", "t1"], [0.4, 0.9, 0.3])]
    first, second = (answered(blend_of([0.25]), members, ids) for members in (one, two))
    assert first.ids == second.ids == ids
    assert first.labels.tolist() == second.labels.tolist() == [0, 1, 1]
    assert first.probs is not None
    assert first.probs.ravel().tolist() == pytest.approx([0.2, 0.3, 0.9])


def test_weights_and_threshold_of_the_blend_decide() -> None:
    members = [member(["a", "b"], [0.2, 0.8]), member(["a", "b"], [0.6, 0.4])]
    assert answered(blend_of([0.5], (0.25, 0.75)), members, ["a", "b"]).labels.tolist() == [1, 1]
    assert answered(blend_of([0.5], (0.75, 0.25)), members, ["a", "b"]).labels.tolist() == [0, 1]
    assert answered(blend_of([0.75], (0.75, 0.25)), members, ["a", "b"]).labels.tolist() == [0, 0]


def test_probabilities_are_left_out_where_nobody_wants_them() -> None:
    found = answered(blend_of([0.5], (1.0,)), [member(["a"], [0.9])], ["a"], keep_probs=False)
    assert (found.probs, found.labels.tolist()) == (None, [1])


def test_another_class_prior_changes_the_probabilities_before_the_vote() -> None:
    shift = Shift(np.array([0.5, 0.5]), np.array([0.9, 0.1]), False)
    members = [member(["a", "b"], [0.5, 0.95])]
    found = answered(blend_of([0.5], (1.0,)), members, ["a", "b"], shift=shift)
    assert found.probs is not None
    odds = 0.95 * 0.2 / (0.95 * 0.2 + 0.05 * 1.8)
    assert found.probs.ravel().tolist() == pytest.approx([0.1, odds])
    assert found.labels.tolist() == [0, 1]


WRONG = [
    (member(["t1"], [0.5], plan="b" * 64), PlanError, "another fold plan .bbbbbbbb, now aaaaaaaa"),
    (member(["t1"], [0.5], classes=("yes", "no")), PredictionsError, "its classes are 'yes'"),
    (member(["t2"], [0.5]), PredictionsError, "not among the 1 that are wanted: 't2'"),
    (member([], np.zeros((0, 1))), PredictionsError, "no row for 1 ids: 't1'"),
]


@pytest.mark.parametrize(("other", "error", "message"), WRONG, ids=[w[2][:20] for w in WRONG])
def test_members_that_do_not_belong_are_refused(
    other: Predictions, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        answered(blend_of([0.5], (1.0,)), [other], ["t1"])


def test_no_members_are_refused() -> None:
    with pytest.raises(PredictionsError, match="no members to blend"):
        answered(blend_of([0.5], ()), [], ["t1"])


@pytest.mark.parametrize(
    ("labels", "shares"),
    [
        (np.array([0, 1, 1, 0]), [0.5, 0.5, 0.0]),
        (np.array([[1, 0, 1], [1, 0, 0]]), [1.0, 0.0, 0.5]),
    ],
    ids=["one class", "columns"],
)
def test_the_shares_of_a_table_count_classes_that_no_image_gets(
    labels: np.ndarray, shares: list[float]
) -> None:
    ids = tuple("abcd"[: len(labels)])
    assert TableAnswers(ids, labels, None, 3).shares().tolist() == shares


def test_known_answers_score_labels_or_probabilities_as_the_metric_wants() -> None:
    labels, truth = np.array([0, 1, 1]), np.array([0, 1, 0])
    probs = np.array([[0.2], [0.9], [0.6]])
    known = TableAnswers(("a", "b", "c"), labels, probs, 2, truth)
    assert known.true_score(METRICS["accuracy"]) == pytest.approx(2 / 3)
    assert known.true_score(METRICS["roc_auc"]) == 1.0
    assert TableAnswers(("a", "b", "c"), labels, probs, 2).true_score(METRICS["accuracy"]) is None


# masks, one image at a time

IDS = ("p", "q", "r")
SIZES = {"p": (4, 6), "q": (4, 6), "r": (8, 12)}


def true_masks(task: Any) -> list[np.ndarray]:
    """(L, 4, 6) of p, q and r: both classes, the first alone, nothing."""
    numbers = np.zeros((3, 4, 6), np.uint8)
    numbers[0, :2], numbers[0, 2:, :3], numbers[1, :, :2] = 1, 2, 1
    if task is ONE:
        return list(numbers[:, None])
    return [np.stack([mask == 1, mask == 2]).astype(np.uint8) for mask in numbers]


def mask_answers(task: Any, folder: Path, **more: Any) -> MaskAnswers:
    """The answers of two members whose rows stand in different orders."""
    paths = tuple(
        save(folder / f"{name}.png", np.zeros((*size, 3), np.uint8)) for name, size in SIZES.items()
    )
    maps = maps_of(task, true_masks(task), 2)
    members = [mask_member(task, IDS, maps, CLASSES),
               mask_member(task, IDS[::-1], maps[::-1], CLASSES)]  # fmt: skip
    blend = more.pop("blend", blend_of(neutral_rule(2).table()))
    test = Index(IDS, paths, CLASSES)
    return MaskAnswers(blend, more.pop("members", members), test, task, PLAN, **more)


@KINDS
def test_masks_are_made_at_the_size_of_each_image_whatever_order_members_have(
    task: Any, tmp_path: Path
) -> None:
    answers = mask_answers(task, tmp_path)
    assert answers.ids == IDS
    found = {name: (mask, probs) for name, mask, probs in answers}
    expected = true_masks(task)
    for row, name in enumerate(("p", "q")):
        assert found[name][0].tolist() == expected[row].tolist()
    assert list(found) == list(IDS)
    columns = task.columns(2)
    assert [probs.shape for _, probs in found.values()] == [(columns, *s) for s in SIZES.values()]
    assert found["r"][0].shape == (task.layers(2), 8, 12)
    assert not found["r"][0].any()


@KINDS
def test_shares_are_of_the_images_that_hold_the_class_however_often_they_are_made(
    task: Any, tmp_path: Path
) -> None:
    answers = mask_answers(task, tmp_path)
    assert answers.shares().tolist() == [0.0, 0.0]
    for _ in range(2):
        assert len(list(answers)) == 3
        assert answers.shares().tolist() == [2 / 3, 1 / 3]


@KINDS
def test_known_masks_score_the_answers(task: Any, tmp_path: Path) -> None:
    """The first class is right but for 4 of the 12 pixels of q, which the answer lacks."""
    known = [mask.copy() for mask in true_masks(task)]
    known[2] = np.zeros((len(known[2]), 8, 12), np.uint8)
    known[1][0, :, 2] = 1
    masks = Masks([Still(mask.transpose(1, 2, 0)) for mask in known], task.layers(2))
    answers = mask_answers(task, tmp_path, truth=masks)
    for _ in range(2):
        list(answers)
        dice = [2 * 20 / (20 + 24), 1.0]
        assert answers.true_score(METRICS["dice"]) == pytest.approx(np.mean(dice))
    assert mask_answers(task, tmp_path).true_score(METRICS["dice"]) is None


def test_the_rule_of_the_blend_drops_small_masks(tmp_path: Path) -> None:
    rule = RegionRule(np.array([128, 128]), np.zeros(2, int), np.array([0, 7])).table()
    answers = mask_answers(ONE, tmp_path, blend=blend_of(rule))
    list(answers)
    assert answers.shares().tolist() == [2 / 3, 0.0]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (("p", "q"), "no row for 1 ids: 'r'"),
        (("p", "q", "r", "s"), "1 ids are not among the 3 that are wanted: 's'"),
    ],
)
def test_members_of_other_images_are_refused_before_the_first_mask(
    tmp_path: Path, ids: tuple[str, ...], message: str
) -> None:
    maps = maps_of(ONE, [true_masks(ONE)[0]] * len(ids), 2)
    with pytest.raises(PredictionsError, match=message):
        mask_answers(ONE, tmp_path, members=[mask_member(ONE, ids, maps, CLASSES)])


def test_members_of_other_classes_are_refused(tmp_path: Path) -> None:
    maps = maps_of(ONE, true_masks(ONE), 2)
    other = mask_member(ONE, IDS, maps, ("a", "b"))
    with pytest.raises(PredictionsError, match="its classes are 'background', 'a', 'b'"):
        mask_answers(ONE, tmp_path, members=[other])
