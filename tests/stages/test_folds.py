"""`comp folds` from the command's side: what is kept, extended, repeated, imported, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import paint, write_csv

from comp.config.loading import make_config
from comp.core.errors import ConfigError, PlanError
from comp.data.folds.groups import write_groups
from comp.data.folds.plan import FoldPlan
from comp.stages.experiment import Experiment, open_experiment, read_plan, read_train
from comp.stages.folds import (
    export_folds,
    extend_folds,
    import_folds,
    make_folds,
    repeat_folds,
    show_folds,
)

Toy = Callable[..., dict[str, Any]]


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def on_disk(experiment: Experiment) -> FoldPlan:
    return read_plan(experiment, read_train(experiment))


def rows(count: int, labels: int = 3) -> None:
    table = [["id", "label", "part"]]
    table += [[f"{n:05d}", str(n % labels), "xy"[n % 2]] for n in range(count)]
    write_csv(Path("input/train.csv"), table)
    for n in range(count):
        paint(Path(f"input/train/{n:05d}.png"), 100, seed=n)


def checked(experiment: Experiment, *ids: str) -> None:
    """A file like that of `comp check`, with one group of copies."""
    from comp.data.folds.groups import ids_fingerprint

    group = {"name": "g0001", "ids": list(ids), "test_ids": [], "kinds": ["exact"]}
    found = {"format": 1, "ids": ids_fingerprint(read_train(experiment)), "proposals": []}
    path = experiment.workspace.check_json
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**found, "copies": [{**group, "confidence": 1.0}]}))


def test_an_extended_plan_is_kept(toy: Toy) -> None:
    experiment = opened(toy(count=12))
    old, _, _ = make_folds(experiment)
    rows(18)
    with pytest.raises(PlanError, match="6 new ids"):
        on_disk(experiment)
    plan, _, written = extend_folds(experiment)
    assert (written, plan.extended, on_disk(experiment).fingerprint) == (True, 6, plan.fingerprint)
    again, _, written = make_folds(experiment)
    assert (written, again.fingerprint) == (False, plan.fingerprint)
    assert plan.fold.tolist()[:12] == old.fold.tolist()
    made, _, _ = make_folds(experiment, replace=True)
    assert made.extended == 0


def test_repeats_keep_the_groups_that_were_accepted(toy: Toy) -> None:
    tree = toy(count=24)
    base = opened(tree)
    index = read_train(base)
    write_groups(base.workspace.groups_csv, index.ids, [f"g{n // 3}" for n in range(24)])
    first, _, _ = make_folds(base)
    repeat_folds(base, 2)
    other = on_disk(opened({**tree, "name": "toy_multiclass_r1"}))
    assert other.index_fingerprint == first.index_fingerprint
    assert {len({*other.fold[n : n + 3].tolist()}) for n in range(0, 24, 3)} == {1}


def test_repeats_are_the_plans_of_the_seeds_that_follow(toy: Toy) -> None:
    tree = toy(count=24)
    first, _, _ = make_folds(opened(tree))
    names = repeat_folds(opened(tree), 3)
    assert names == ["toy_multiclass_r1", "toy_multiclass_r2"]
    plans = [on_disk(opened({**tree, "name": name})) for name in names]
    assert [plan.seed for plan in plans] == [43, 44]
    assert len({plan.fingerprint for plan in (first, *plans)}) == 3
    alone, _, written = make_folds(opened({**tree, "name": names[0], "seed": 43}))
    assert (written, alone.fingerprint) == (False, plans[0].fingerprint)


def test_a_column_of_folds_is_the_plan(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    tree = toy(count=12)
    rows(12)
    tree["data"]["fold"] = "part"
    plan, _, _ = make_folds(opened(tree))
    assert (plan.scheme, plan.fold.tolist()) == ("column", [0, 1] * 6)
    assert "'x' is fold 0, 'y' is fold 1" in capsys.readouterr().err
    tree["folds"]["count"] = 3
    with pytest.raises(ConfigError, match=r"'part' has 2 folds, .* asks for 3; set folds\.count"):
        make_folds(opened(tree))


def test_nnunets_splits_there_and_back(toy: Toy) -> None:
    tree = toy(count=12)
    experiment = opened(tree)
    plan, _, _ = make_folds(experiment)
    export_folds(experiment, Path("splits_final.json"))
    make_folds(opened({**tree, "seed": 7}), replace=True)
    with pytest.raises(PlanError, match="another plan is there"):
        import_folds(experiment, Path("splits_final.json"))
    back, _, _ = import_folds(experiment, Path("splits_final.json"), replace=True)
    assert (back.scheme, back.fold.tolist()) == ("imported", plan.fold.tolist())
    assert make_folds(experiment)[0].scheme == "imported"


def test_found_copies_are_refused_when_made_and_when_loaded(toy: Toy) -> None:
    experiment = opened(toy(count=12))
    plan, _, _ = make_folds(experiment)
    apart = [plan.valid(0)[0], plan.valid(1)[0]]
    checked(experiment, *apart)
    with pytest.raises(PlanError, match="the copies g0001"):
        on_disk(experiment)
    with pytest.raises(PlanError, match=r"comp folds make --allow-leak"):
        make_folds(experiment)
    leaky, _, written = make_folds(experiment, allow_leak=True)
    assert (written, on_disk(experiment).leak) == (True, leaky.leak)
    assert leaky.leak[0].startswith("the copies g0001")
    checked(experiment, *plan.valid(0)[:2])  # in one fold
    make_folds(experiment, replace=True)
    assert on_disk(experiment).leak == ()


def test_the_leak_reaches_the_manifest_of_the_submission(toy: Toy) -> None:
    from comp.stages.ensemble import ensemble
    from comp.stages.train import train

    experiment = opened(toy(count=12, train__epochs=1))
    plan, _, _ = make_folds(experiment)
    checked(experiment, plan.valid(0)[0], plan.valid(1)[0])
    leaky, _, _ = make_folds(experiment, allow_leak=True)
    train(experiment, "all")
    result = ensemble(experiment)
    assert json.loads(result.manifest.read_text())["leak"] == list(leaky.leak)


def test_a_hold_out_is_trained_scored_and_answered(toy: Toy) -> None:
    from comp.stages.ensemble import ensemble
    from comp.stages.train import train

    experiment = opened(toy("binary", count=40, folds__holdout=0.5, train__epochs=1))
    plan, _, _ = make_folds(experiment)
    (fold,) = train(experiment, "all")
    assert (fold.fold, len(plan.valid(0))) == (0, 20)
    result = ensemble(experiment)
    assert result.path.is_file()


def test_the_balance_is_drawn(toy: Toy) -> None:
    tree = toy(count=12)
    tree["data"]["classes"] = ["0", "2", "1"]
    experiment = opened(tree)
    make_folds(experiment)
    show_folds(experiment, Path("out/balance.png"))
    assert Path("out/balance.png").read_bytes().startswith(b"\x89PNG")
