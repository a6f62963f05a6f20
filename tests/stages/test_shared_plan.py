"""An experiment on the plan of another one has its groups too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from comp.config.loading import make_config
from comp.stages.experiment import open_experiment, read_plan, read_train
from comp.stages.folds import make_folds


def test_who_shares_a_plan_shares_the_groups_that_were_accepted(
    toy: Callable[..., dict[str, Any]],
) -> None:
    tree = toy("multiclass")
    first = open_experiment(make_config(tree))
    rows = [f"{number:05d},g{number // 2}" for number in range(24)]
    first.workspace.groups_csv.parent.mkdir()
    first.workspace.groups_csv.write_text("\n".join(["id,group", *rows]) + "\n")
    make_folds(first, replace=False)
    tree = {**tree, "name": "second", "folds": {"count": 2, "plan": "toy_multiclass"}}
    for over in ({}, {"train": {**tree["train"], "subset": 12}}):
        other = open_experiment(make_config({**tree, **over}))
        index = read_train(other)
        assert index.groups is not None
        assert read_plan(other, index).groups == index.groups
    assert not Path("folds/second.groups.csv").exists()
