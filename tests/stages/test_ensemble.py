"""The ensembler from files to files: runs, outside predictions, parts, the gate, the board."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import paint, write_csv

from comp.config.loading import make_config
from comp.core.errors import (
    ConfigError,
    DataError,
    RunError,
    UsageError,
)
from comp.data.index.tables import read_table
from comp.ensemble.table_evidence import TableEvidence
from comp.inference.predictions import Predictions
from comp.report.console.submission_tables import print_explained
from comp.stages.board import read_board
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.kinds import make_evidence
from comp.stages.ensembling.members import Ground, run_model
from comp.stages.ensembling.result import Request
from comp.stages.experiment import (
    Experiment,
    open_experiment,
    read_plan,
    read_test_images,
    read_train,
)
from comp.stages.folds import make_folds, repeat_folds
from comp.stages.submission import explain, find
from comp.stages.train import train

Toy = Callable[..., dict[str, Any]]


def trained(tree: dict[str, Any], folds: str = "all") -> Experiment:
    experiment = open_experiment(make_config(tree))
    make_folds(experiment, replace=False)
    train(experiment, folds)
    return experiment


def test_runs_of_one_plan_are_compared_and_blended_by_id(toy: Toy) -> None:
    tree = toy("multiclass")
    first = trained(tree)
    trained({**tree, "name": "other", "train": {**tree["train"], "lr": 1e-3}})
    result = ensemble(first, Request(runs=("toy_multiclass", "other")))
    assert len(result.table) == 29
    assert [model.name for model in result.models] == ["toy_multiclass", "other"]
    assert result.blend.weights == (0.25,) * 4
    assert result.path == Path("submissions/toy_multiclass+other.csv")
    names = [f"runs/{run}/fold_{k}/test" for run in ("toy_multiclass", "other") for k in (0, 1)]
    parts = [Predictions.load(Path(name)).align([f"t{n:03}" for n in range(6)]) for name in names]
    mean = np.mean([part.probs for part in parts], axis=0) + result.blend.rule
    given = read_table(result.path).values
    assert dict(zip(given["id"], given["label"], strict=True)) == {
        f"t{n:03}": str(row.argmax()) for n, row in enumerate(mean)
    }
    Path("w.yaml").write_text("other: 3\ntoy_multiclass: 1\n")
    weighted = open_experiment(make_config({**tree, "ensemble": {"weights": "w.yaml"}}))
    result = ensemble(weighted, Request(runs=("toy_multiclass", "other"), out="heavy"))
    with pytest.raises(UsageError, match=r"submissions/heavy\.(csv|json) is there"):
        ensemble(weighted, Request(runs=("toy_multiclass", "other"), out="Heavy"))
    assert result.blend.weights == (0.125, 0.125, 0.375, 0.375)
    assert result.path == Path("submissions/heavy.csv")
    with pytest.raises(UsageError, match=r"no run 'othr'.*Did you mean 'other'"):
        ensemble(first, Request(runs=("toy_multiclass", "othr")))
    with pytest.raises(ConfigError, match="two members are called 'other'"):
        ensemble(first, Request(runs=("other", "other")))


def test_runs_of_the_plans_of_repeats_are_joined_by_id_and_averaged(finished: Toy) -> None:
    first = open_experiment(make_config(finished()))
    (name,) = repeat_folds(first, 2)
    again = open_experiment(make_config({**finished(), "name": name}))
    train(again, "all")
    result = ensemble(first, Request(runs=("toy_binary", name)))
    index = read_train(first)
    plans = [read_plan(experiment, index) for experiment in (first, again)]
    assert plans[0].fingerprint != plans[1].fingerprint
    oof = np.zeros(24)
    for run in ("toy_binary", name):
        for fold in (0, 1):
            part = Predictions.load(Path(f"runs/{run}/fold_{fold}/valid"))
            oof[index.rows(part.ids)] += np.asarray(part.probs)[:, 0] / 2
    expected = first.metric.score(index.labels, (oof >= 0.5).astype(np.int64), 2)
    assert result.blend.scores.honest == pytest.approx(expected)
    assert (result.covered, result.blend.weights) == (24, (0.25,) * 4)
    members = json.loads(result.manifest.read_text())["blend"]["members"]
    own = [member.get("own_plan") for member in members]
    assert own == [None, None, plans[1].fingerprint, plans[1].fingerprint]


def test_ranks_of_a_repeat_are_taken_within_its_own_folds(finished: Toy) -> None:
    first = open_experiment(make_config(finished()))
    (name,) = repeat_folds(first, 2)
    again = open_experiment(make_config({**finished(), "name": name}))
    train(again, "all")
    index = read_train(first)
    ground = Ground(first, index, read_test_images(first, index.classes), read_plan(first, index))
    models = [run_model(ground, experiment) for experiment in (first, again)]
    evidence = make_evidence(ground, models)
    plans = [read_plan(experiment, index).fold for experiment in (first, again)]
    assert isinstance(evidence, TableEvidence)
    assert (evidence.fold == plans[0]).all()  # what is fitted and measured apart
    assert (evidence.parts == np.stack(plans)).all()
    assert (evidence.at(np.arange(3)).parts == np.stack(plans)[:, :3]).all()


def test_a_repeat_of_other_data_is_refused(finished: Toy) -> None:
    first = open_experiment(make_config(finished()))
    (name,) = repeat_folds(first, 2)
    again = open_experiment(make_config({**finished(), "name": name}))
    train(again, "all")
    path = Path("input/train.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], ""]))
    make_folds(first, replace=True)
    with pytest.raises(RunError, match="trained with plan"):
        ensemble(first, Request(runs=(name,)))


def test_a_run_of_another_plan_is_refused_with_both_hashes(toy: Toy) -> None:
    tree = toy("multiclass")
    first = trained(tree)
    lines = Path("input/train.csv").read_text().splitlines(keepends=True)
    Path("input/fewer.csv").write_text("".join(lines[:-1]))
    data = {**tree["data"], "train_csv": "fewer.csv"}
    other = trained({**tree, "name": "other", "data": data})
    mine, its = (json.loads(e.workspace.plan_json.read_text()) for e in (first, other))
    pair = f"{its['fingerprint'][:8]}, the plan is now {mine['fingerprint'][:8]}"
    with pytest.raises(RunError, match=f"runs/other/fold_0: trained with plan {pair}"):
        ensemble(first, Request(runs=("toy_multiclass", "other")))
    with pytest.raises(RunError, match="trained with plan"):
        ensemble(first, Request(runs=("toy_multiclass", "other"), partial=True))
    assert not Path("submissions").exists()


def test_an_unfinished_or_damaged_fold_is_refused_unless_a_part_is_asked_for(toy: Toy) -> None:
    tree = toy("multiclass", folds__count=3)
    experiment = trained(tree, "0,1")
    with pytest.raises(RunError, match=r"fold 2 is not trained to its end"):
        ensemble(experiment)
    result = ensemble(experiment, Request(partial=True))
    assert (result.covered, result.of) == (16, 24)
    assert result.models[0].missing == (2,)
    assert result.blend.weights == (0.5, 0.5)
    manifest = json.loads(result.manifest.read_text())
    assert (manifest["covered"], manifest["missing_folds"]) == (16, {"toy_multiclass": [2]})
    assert read_board()[0].entries[0].note == "partial: 16 of 24 images. ".strip()
    damaged = Path("runs/toy_multiclass/fold_1/test/probs.npy")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-4] + b"xxxx")
    train(experiment, "2")
    ensemble(experiment)  # the checkpoint is there, so the predictions are made again
    assert damaged.read_bytes() == whole
    damaged.unlink()
    best = Path("runs/toy_multiclass/fold_1/best.pt")
    best.write_bytes(best.read_bytes()[:-4] + b"xxxx")
    with pytest.raises(RunError, match=r"fold 1: .*best\.pt.*comp train --fold 1"):
        ensemble(experiment)
    result = ensemble(experiment, Request(partial=True))
    assert result.models[0].missing == (1,)
    shutil.rmtree("runs/toy_multiclass/fold_0")
    shutil.rmtree("runs/toy_multiclass/fold_1")
    result = ensemble(experiment, Request(partial=True))
    assert (result.covered, result.blend.scores.raw) == (8, result.blend.scores.honest)


def test_outside_predictions_are_joined_by_id(toy: Toy, workspace: Path) -> None:
    weak = toy("multiclass", train__lr=1e-6)  # so that the outside member is the better one
    experiment = trained(weak)
    ids = [f"{n:05}" for n in range(24)]
    sure = {name: [1.0 if c == n % 3 else 0.0 for c in range(3)] for n, name in enumerate(ids)}
    tests = {f"t{n:03}": [0.0, 0.0, 1.0] for n in range(6)}
    rows = [[name, *probs[::-1]] for name, probs in {**tests, **sure}.items()]
    write_csv(workspace / "outside.csv", [["id", "2", "1", "0"], *rows])
    strong = open_experiment(make_config({**weak, "ensemble": {"weights": "greedy"}}))
    result = ensemble(strong, Request(added=(Path("outside.csv"),)))
    assert result.blend.weights == (0.0, 0.0, 1.0)
    assert result.blend.scores.honest == 1.0
    assert set(read_table(result.path).values["label"]) == {"2"}
    assert any("all 6 rows have the same answer: 2" in line for line in result.warnings)
    write_csv(
        workspace / "tests.csv", [["id", "0", "1", "2"], *([n, *p] for n, p in tests.items())]
    )
    result = ensemble(experiment, Request(added=(Path("tests.csv"),)))
    assert result.blend.weights == (0.25, 0.25, 0.5)
    assert "tests.csv: has no out-of-fold rows" in result.blend.note
    with pytest.raises(
        ConfigError, match=r"greedy needs out-of-fold rows of every member, tests\.csv"
    ):
        ensemble(strong, Request(added=(Path("tests.csv"),)))


def test_attributes_are_combined_into_their_joint_class(
    toy: Toy, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = toy("multiclass")
    pairs = [[f"{n:05}", n % 2, "ab"[n // 2 % 2]] for n in range(24)]
    write_csv(workspace / "input/train.csv", [["id", "size", "kind"], *pairs])
    for column in ("size", "kind"):
        trained({**tree, "name": column, "data": {**tree["data"], "target": column}})
    joint = {**tree, "name": "joint", "data": {**tree["data"], "target": ["size", "kind"]}}
    joint["ensemble"] = {"combine": "product"}
    experiment = open_experiment(make_config(joint))
    make_folds(experiment, replace=False)
    result = ensemble(experiment, Request(runs=("size", "kind"), out="joint"))
    assert result.covered == 24
    assert set(read_table(result.path).values["label"]) <= {"0", "1", "2", "3"}  # as the sample
    assert [m.name for m in result.models] == ["size x kind"]
    print_explained(explain("joint")[0], whole=True, as_json=False)
    shown = capsys.readouterr().out
    assert all(f"runs/{run}/fold_{k}/test" in shown for run in ("size", "kind") for k in (0, 1))
    with pytest.raises(ConfigError, match=r"give --runs in the order of data\.target"):
        ensemble(experiment, Request(runs=("kind", "size")))


def test_a_prior_moves_answers_and_scores_to_the_balance_of_the_test_set(toy: Toy) -> None:
    tree = toy("binary")
    trained(tree)
    shifted = {**tree, "ensemble": {"prior": {"0": 0.05, "1": 0.95}, "tune": False}}
    before = ensemble(open_experiment(make_config(tree)))
    after = ensemble(open_experiment(make_config(shifted)))
    assert after.shares["1"][1] > before.shares["1"][1]
    assert json.loads(after.manifest.read_text())["prior"] == pytest.approx({"0": 0.05, "1": 0.95})
    estimated = ensemble(open_experiment(make_config({**tree, "ensemble": {"prior": "auto"}})))
    assert estimated.prior is not None
    assert estimated.prior.after.sum() == pytest.approx(1)


def test_the_same_inputs_give_the_same_bytes_and_are_explained(toy: Toy) -> None:
    experiment = trained(toy("binary"))
    result = ensemble(experiment)
    files = (result.path, result.manifest)
    once = [path.read_bytes() for path in files]
    shutil.rmtree("submissions")
    ensemble(experiment)
    assert [path.read_bytes() for path in files] == once
    manifest, whole = explain("toy_binary")
    assert whole
    members = manifest["blend"]["members"]
    assert [m["fold"] for m in members] == [0, 1]
    assert all(len(m["checkpoint_sha256"]) == 64 and m["tta"] == "none" for m in members)
    assert manifest["versions"]["comp"]
    result.path.write_text(result.path.read_text().replace("t000,0", "t000,1").replace("x", "y"))
    result.path.write_text(result.path.read_text() + "\n")
    assert explain("submissions/toy_binary.csv")[1] is False
    with pytest.raises(UsageError, match=r"no submission 'toy_binry'.*'toy_binary'"):
        find("toy_binry")


def test_a_sample_of_another_number_of_images_is_refused_unless_chosen(
    toy: Toy, workspace: Path
) -> None:
    tree = toy("binary")
    experiment = trained(tree)
    paint(workspace / "input/test/t999.png", 100, seed=1)
    with pytest.raises(DataError, match=r"asks for 6 images, input.test holds 7: .*extra_images"):
        ensemble(experiment)
    chosen = open_experiment(make_config({**tree, "submission": {"extra_images": "ignore"}}))
    assert len(read_table(ensemble(chosen).path).values["id"]) == 6
    for name in ("t998", "t999"):
        (workspace / f"input/test/{name}.png").unlink(missing_ok=True)
    (workspace / "input/test/t000.png").unlink()
    with pytest.raises(DataError, match=r"asks for 6 images, input.test holds 5"):
        ensemble(chosen)


def test_the_weights_of_comp_check_give_a_score_as_the_test_looks(finished: Toy) -> None:
    experiment = open_experiment(make_config(finished()))
    assert ensemble(experiment).as_test is None
    parts = [Predictions.load(experiment.workspace.fold(fold).valid) for fold in (0, 1)]
    labels = dict.fromkeys((name for part in parts for name in part.ids), 0)
    wrong = [n for part in parts for n, p in zip(part.ids, part.probs[:, 0], strict=True)
             if (p >= 0.5) != int(n) % 2]  # fmt: skip
    rows = [[name, 0 if name in wrong else 1] for name in labels]
    write_csv(experiment.workspace.weights_csv, [["id", "weight"], *rows])
    assert ensemble(experiment).as_test == 1.0
    write_csv(experiment.workspace.weights_csv, [["id", "weight"], ["x", 1]])
    assert ensemble(experiment).as_test is None
