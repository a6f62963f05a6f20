"""`comp stack` writes a table that `comp ensemble --add` judges, and refuses what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import write_csv

from comp.config.loading import make_config
from comp.core.errors import ConfigError, DataError, PlanError
from comp.data.index.tables import read_table
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Request
from comp.stages.ensembling.stack import stack_runs
from comp.stages.experiment import Experiment, open_experiment

Finished = Callable[..., dict[str, Any]]


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def test_the_table_is_a_member_of_an_ensemble(finished: Finished) -> None:
    experiment = opened(finished())
    made = stack_runs(experiment, (), kind="logistic", facts=True)
    assert made.path == Path("stacks/toy_binary_stack.csv")
    table = read_table(made.path)
    assert [table.values["part"].count(part) for part in ("valid", "test")] == [24, 6]
    about = json.loads(made.path.with_suffix(".json").read_text())
    assert about["kind"] == "logistic"
    assert len(about["members"]) == 2
    both = ensemble(experiment, Request(added=(made.path,), out="both"))
    assert [model.name for model in both.models] == ["toy_binary", "toy_binary_stack.csv"]
    before = made.path.read_bytes()
    assert stack_runs(experiment, (), kind="logistic", facts=True).path.read_bytes() == before
    made.path.with_suffix(".json").write_text(json.dumps({**about, "plan": "0" * 64}))
    with pytest.raises(PlanError, match="another fold plan"):
        ensemble(experiment, Request(added=(made.path,), out="both"))


def test_columns_of_the_tables_are_seen_by_id(finished: Finished) -> None:
    tree, found = finished(data__test_csv="test.csv"), []
    tree["data"]["tabular"] = ["label"]
    for turn in (0, 1):
        rows = [[f"t{number:03d}", (number + turn) % 2] for number in range(6)]
        write_csv(Path("input/test.csv"), [["id", "label"], *reversed(rows)])
        table = read_table(stack_runs(opened(tree), (), kind="logistic").path)
        answer = [name for name in table.columns if name not in ("id", "part")][-1]
        found.append(dict(zip(table.values["id"], map(float, table.values[answer]), strict=True)))
    assert found[0]["00003"] == found[1]["00003"]
    rises = [found[0][f"t{number:03d}"] > found[1][f"t{number:03d}"] for number in range(6)]
    assert rises == [False, True] * 3  # where the first table says 1


def test_what_cannot_be_is_told(finished: Finished) -> None:
    with pytest.raises(DataError, match="no column 'age'"):
        stack_runs(opened(finished(data__tabular=["age"])), (), kind="ridge")
    with pytest.raises(ConfigError, match="kind of second level"):
        stack_runs(opened(finished()), (), kind="logistc")
    masks = {"root": "input", "layout": "masks"}
    with pytest.raises(ConfigError, match="for classification"):
        stack_runs(opened(finished(task="segmentation", metric="dice", data=masks)), ())
