"""Plans that leak are refused, or say so."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from plan_toys import index_of

from comp.core.errors import PlanError
from comp.data.folds.leaks import refuse_leaks, warn_of_proposals
from comp.data.folds.make import given_plan
from comp.data.folds.plan_file import load_plan, save_plan


def found(*ids: str) -> Any:
    return SimpleNamespace(name=f"g{ids[0]}", ids=ids)


def test_copies_in_two_folds_are_refused_and_allowed_only_on_the_record(tmp_path: Path) -> None:
    index = index_of([0, 1] * 4)
    plan = given_plan(index, np.arange(8) % 2, 2, "column", 42)
    assert refuse_leaks(plan, [found("0000", "0002")], allow=False) is plan
    with pytest.raises(PlanError, match=r"g0000 \('0000', '0001'\) in the folds 0, 1") as caught:
        refuse_leaks(plan, [found("0000", "0001")], allow=False)
    assert "comp check --accept-groups" in str(caught.value)
    assert "--allow-leak" in str(caught.value)
    leaky = refuse_leaks(plan, [found("0000", "0001")], allow=True)
    paths = tmp_path / "x.csv", tmp_path / "x.json"
    save_plan(leaky, index, *paths, replace=False)
    back = load_plan(*paths)
    assert back.leak == ("the copies g0000 ('0000', '0001') in the folds 0, 1",)
    assert back.fingerprint == plan.fingerprint
    assert refuse_leaks(back, [found("0000", "0001")], allow=False) is back
    with pytest.raises(PlanError, match="'0002', '0003'"):
        refuse_leaks(back, [found("0002", "0003")], allow=False)


def test_a_group_in_two_folds_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    index = index_of([0, 1] * 2, "ppqq")
    plan = given_plan(index, np.array([0, 1, 1, 1]), 2, "column", 42)
    with pytest.raises(PlanError, match=r"the group 'p' \('0000', '0001'\) in the folds 0, 1"):
        refuse_leaks(plan, [], allow=False)
    paths = tmp_path / "x.csv", tmp_path / "x.json"
    save_plan(refuse_leaks(plan, [], allow=True), index, *paths, replace=False)
    assert load_plan(*paths).leak == ("the group 'p' ('0000', '0001') in the folds 0, 1",)
    save_plan(plan, index, *paths, replace=True)
    with pytest.raises(PlanError, match="line 3: the group 'p' is in fold 1, on line 2 in 0"):
        load_plan(*paths)


def test_copies_on_both_sides_of_a_hold_out_are_a_leak() -> None:
    plan = given_plan(index_of([0, 1, 0, 1]), np.array([0, -1, -1, -1]), 1, "column", 42)
    with pytest.raises(PlanError, match="in the folds training only, 0"):
        refuse_leaks(plan, [found("0000", "0001")], allow=False)


def test_proposed_groups_in_several_folds_are_a_warning() -> None:
    plan = given_plan(index_of([0, 1] * 4), np.arange(8) % 2, 2, "column", 42)
    warned = warn_of_proposals(plan, [found("0000", "0001"), found("0002", "0004")])
    *before, message = warned.warnings
    assert tuple(before) == plan.warnings
    assert message.startswith("divides 1 of the 2 groups that `comp check` proposes ('g0000')")
    grouped = replace(plan, groups=("p",) * 8)
    assert warn_of_proposals(grouped, [found("0000", "0001")]).warnings == grouped.warnings
