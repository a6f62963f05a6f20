"""A plan is a partition, written once, that holds groups together and refuses other data."""

from typing import Any

import numpy as np
import pytest
from plan_toys import index_of, part_of, plan_of, random_index

from comp.config.schema import FoldsConfig
from comp.core.errors import ConfigError, PlanError
from comp.data.folds.make import extend_plan, judged_part, make_plan
from comp.data.folds.plan import balance
from comp.data.folds.plan_file import load_plan, save_plan
from comp.data.folds.schemes import SCHEMES
from comp.data.index.index import Index


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_a_partition_that_holds_groups(scheme):
    index = random_index(scheme)
    plan = plan_of(index, 4, scheme)
    parts = [set(plan.valid(k)) for k in range(4)]
    assert all(parts)
    assert sum(map(len, parts)) == len(index) == len(set.union(*parts))
    for k in range(4):
        assert {*plan.train(k)} == {*index.ids} - parts[k]
        train, valid = (index.rows(ids) for ids in (plan.train(k), plan.valid(k)))
        assert not index.groups or not (
            {index.groups[row] for row in train} & {index.groups[row] for row in valid}
        )


@pytest.mark.parametrize(
    "kind", ["stratified", "stratified_group", "multilabel", "multilabel_group"]
)
def test_auto_takes_what_the_data_has(kind):
    assert plan_of(random_index(kind)).scheme == kind


def test_the_images_of_a_small_class_are_in_different_folds():
    index = index_of([0, 0, 1, 1, 2, 2])
    plan = plan_of(index, 3)
    made = balance(plan, index)
    assert made.rows.tolist() == [2, 2, 2]
    assert all(counts.max() == 1 for counts in made.classes.values())
    assert plan.warnings[0] == (
        "class 'a' lives in 2 images: 3 folds cannot all contain it; no seed will help"
    )


@pytest.mark.parametrize(
    ("index", "folds", "message"),
    [
        (index_of([0, 1]), {"count": 3}, "3 folds for 2 images; at most 2"),
        (index_of([0, 1, 0], "ppq"), {"count": 3}, r"3 folds for 2 groups \(data.group, 3 images"),
        (index_of([0, 1, 0]), {"scheme": "group"}, r"no groups \(data.group\); use auto or one of"),
        (index_of([0, 1, 0], "ppq"), {"scheme": "stratified"}, "would divide the groups"),
        (index_of([[0], [1]]), {"scheme": "stratified"}, "use auto, here multilabel"),
    ],
)
def test_impossible_plans_are_refused(index, folds, message):
    with pytest.raises(PlanError, match=message):
        plan_of(index, **folds)


def test_an_unknown_scheme_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'stratified'"):
        plan_of(index_of([0, 1]), scheme="stratifed")


def test_new_ids_get_a_fold_and_old_ids_keep_theirs() -> None:
    whole = index_of([0, 0, 0, 1] * 15)
    old = make_plan(part_of(whole, list(range(0, 60, 3))), FoldsConfig(count=4), 42)
    plan = extend_plan(old, whole)
    plan.check(whole)
    fold = dict(zip(plan.ids, plan.fold.tolist(), strict=True))
    assert {name: fold[name] for name in old.ids} == dict(
        zip(old.ids, old.fold.tolist(), strict=True)
    )
    assert np.bincount(plan.fold).tolist() == [15] * 4
    defects = np.bincount(plan.fold[whole.labels == 1], minlength=4)
    assert np.ptp(defects) <= 1
    assert (plan.extended, plan.scheme, plan.seed) == (40, old.scheme, 42)
    assert extend_plan(old, whole).fold.tolist() == plan.fold.tolist()


def test_new_ids_of_a_group_go_where_the_group_is() -> None:
    whole = index_of([0, 1] * 8, "ppppqqqqrrrrssss")
    old = make_plan(part_of(whole, [0, 1, 4, 5, 8, 9]), FoldsConfig(count=3), 42)
    plan = extend_plan(old, whole)
    home = dict(zip(whole.groups, plan.fold.tolist(), strict=True))
    was = dict(zip(old.groups, old.fold.tolist(), strict=True))
    assert {group: home[group] for group in "pqr"} == was
    assert all(home[g] == f for g, f in zip(whole.groups, plan.fold.tolist(), strict=True))


def test_ids_that_are_gone_leave_the_others_where_they_are() -> None:
    whole = index_of([0, 1] * 10)
    old = make_plan(whole, FoldsConfig(count=2), 42)
    plan = extend_plan(old, part_of(whole, list(range(1, 20))))
    assert plan.fold.tolist() == old.fold.tolist()[1:]


def test_edited_rows_are_refused_with_their_diff() -> None:
    whole = index_of([0, 1] * 4, "ppqqrrss")
    old = make_plan(part_of(whole, list(range(6))), FoldsConfig(count=2), 42)
    edited = index_of([1, 1, *[0, 1] * 3], "ppqqrsss")
    with pytest.raises(PlanError) as caught:
        extend_plan(old, edited)
    assert str(caught.value).splitlines()[1:] == [
        "  - 1 ids have another label: '0000' 'a' -> 'b'",
        "  - 1 ids have another group: '0005' 'r' -> 's'",
    ]


def test_a_plan_is_not_extended_by_nothing() -> None:
    index = index_of([0, 1] * 4)
    with pytest.raises(PlanError, match="nothing new to extend it with"):
        extend_plan(make_plan(index, FoldsConfig(count=2), 42), index)


@pytest.mark.parametrize("share", [0.25, 0.1, 0.3])
def test_a_hold_out_is_one_validation_part_like_the_whole(share: float) -> None:
    index = index_of([0, 0, 0, 1] * 50)
    plan = make_plan(index, FoldsConfig(holdout=share), 42)
    valid = index.rows(plan.valid(0))
    assert (plan.count, len(valid)) == (1, round(200 * share))
    assert abs(index.labels[valid].sum() - 50 * share) <= 1
    assert {*plan.train(0)} == {*index.ids} - {*plan.valid(0)}


def test_a_rule_is_cross_fitted_over_parts_of_the_hold_out() -> None:
    index = index_of([0, 0, 0, 1] * 20, [number // 2 for number in range(80)])
    plan = make_plan(index, FoldsConfig(holdout=0.25), 42)
    part, fold, parts = judged_part(index, plan)
    assert part.ids == plan.valid(0)
    assert fold.tolist() == [0] * len(part)
    assert sorted({*parts.tolist()}) == [0, 1, 2, 3, 4]
    home = dict(zip(part.groups, parts.tolist(), strict=True))
    assert [home[group] for group in part.groups] == parts.tolist()
    whole = make_plan(index, FoldsConfig(count=2), 42)
    part, fold, parts = judged_part(index, whole)
    assert part.ids == index.ids
    assert fold.tolist() == parts.tolist() == whole.fold.tolist()


@pytest.mark.parametrize(
    ("index", "folds", "message"),
    [
        (index_of([1, 1, 1]), {"count": 2}, r"all 3 images are of the class 'b': there is nothing"),
        (index_of([1]), {"count": 2}, "2 folds for 1 images; one cannot be divided"),
        (index_of([1, 0]), {"count": 5}, "5 folds for 2 images; at most 2 folds"),
        (index_of([1, 0]), {"holdout": 0.25}, r"folds.holdout: 4 parts for 2 images; at most 2"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    index: Index, folds: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        make_plan(index, FoldsConfig(**folds), 42)


@pytest.mark.parametrize("groups", [None, np.arange(60) % 20])
def test_iterative_stratification_is_another_start_of_a_multilabel_plan(groups, tmp_path) -> None:
    index = index_of(np.random.default_rng(0).integers(0, 2, (60, 3)), groups)
    plans = {s: make_plan(index, FoldsConfig(count=4, start=s), 42) for s in ("deal", "iterative")}
    assert plans["deal"].fold.tolist() != plans["iterative"].fold.tolist()
    for start, plan in plans.items():
        assert np.ptp(balance(plan, index).rows) <= (1 if groups is None else 4)
        save_plan(plan, index, tmp_path / f"{start}.csv", tmp_path / f"{start}.json", replace=False)
        assert load_plan(tmp_path / f"{start}.csv", tmp_path / f"{start}.json").start == start
    assert '"start"' not in (tmp_path / "deal.json").read_text()


def test_a_start_is_refused_where_the_scheme_has_none() -> None:
    with pytest.raises(PlanError, match=r"folds.start: iterative is for the schemes 'multilabel'"):
        make_plan(index_of([0, 1] * 4), FoldsConfig(count=2, start="iterative"), 42)
