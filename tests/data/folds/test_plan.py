"""A plan knows its folds, and what changed since it was made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plan_toys import index_of, part_of, plan_of

from comp.config.schema import FoldsConfig
from comp.core.errors import PlanError, UsageError
from comp.data.folds.make import make_plan
from comp.data.folds.plan_file import load_plan
from comp.data.index.index import Index


@pytest.mark.parametrize("k", [-1, 2])
def test_a_fold_out_of_range_is_refused(k):
    plan = plan_of(index_of([0, 1, 0, 1]))
    for part in (plan.train, plan.valid):
        with pytest.raises(UsageError, match=f"no fold {k}: the plan has the folds 0..1"):
            part(k)


def test_stale_plans_say_what_changed(saved):
    index, csv_path, json_path = saved
    plan = load_plan(csv_path, json_path)
    ids = ("0000", "0001", "0002", "0003", "0004", "new")
    now = Index(
        ids,
        tuple(Path(name) for name in ids),
        index.classes,
        np.array([1, 1, 0, 1, 0, 1]),
        ("p", "p", "q", "z", "r", "r"),
    )
    with pytest.raises(PlanError) as caught:
        plan.check(now)
    assert str(caught.value).splitlines() == [
        f"{csv_path}: stale: made for other data ({index.fingerprint[:8]}, now "
        f"{now.fingerprint[:8]}):",
        "  - 1 new ids: 'new'",
        "  - 1 ids are gone: '0005'",
        "  - 1 ids have another label: '0000' 'a' -> 'b'",
        "  - 1 ids have another group: '0003' 'q' -> 'z'",
        "Bring the old data back, or plan again with `comp folds make --replace` "
        "(what was trained on the old plan is then stale too).",
    ]
    with pytest.raises(PlanError, match="the classes were 'a', 'b', now 'b', 'a'"):
        plan.check(replace(index, classes=("b", "a"), target=1 - index.labels))


def test_a_plan_that_only_lacks_ids_names_the_command_that_adds_them() -> None:
    whole = index_of([0, 1] * 4)
    plan = make_plan(part_of(whole, list(range(6))), FoldsConfig(count=2), 42)
    with pytest.raises(PlanError, match=r"2 new ids: '0006', '0007'\n.*make --extend` \(old ids"):
        plan.check(whole)
