"""The laws of the design, over whole runs. Each test fails when its law is broken."""

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
from comp.config.schema import Config
from comp.core.errors import CheckError, PlanError, RunError
from comp.data.index.tables import read_table
from comp.inference.predictions import Predictions
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.predict import predict
from comp.stages.train import train
from comp.submission import read_sample
from comp.tasks.kinds import TASKS

Toy = Callable[..., dict[str, Any]]


def run_all(config: Config, folds: str = "all") -> str:
    """Plan, train, ensemble; the text of the submission."""
    experiment = open_experiment(config)
    make_folds(experiment, replace=False)
    train(experiment, folds)
    return ensemble(experiment).path.read_text()


def shuffle_rows(path: Path, seed: int) -> None:
    header, *rows = path.read_text().splitlines()
    order = np.random.default_rng(seed).permutation(len(rows))
    path.write_text("\n".join([header, *(rows[i] for i in order)]) + "\n")


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_ends_in_a_submission_like_its_sample(toy: Toy, kind: str) -> None:
    text = run_all(make_config(toy(kind)))
    sample = read_sample(Path("input/sample_submission.csv"), "id")
    table = read_table(Path(f"submissions/toy_{kind}.csv"))
    assert table.columns == sample.columns
    assert tuple(table.values[sample.id_column]) == sample.ids
    assert text.endswith("\n")
    manifest = json.loads(Path(f"submissions/toy_{kind}.json").read_text())
    assert [member["fold"] for member in manifest["blend"]["members"]] == [0, 1]
    assert manifest["blend"]["scores"]["low"] <= manifest["blend"]["scores"]["high"]


def test_identity_shuffled_rows_give_the_same_submission(toy: Toy, workspace: Path) -> None:
    tree = toy("multiclass")
    whole = run_all(make_config(tree))
    plan = Path("folds/toy_multiclass.csv").read_bytes()
    for folder in ("folds", "runs", "cache", "submissions"):
        shutil.rmtree(workspace / folder)
    shuffle_rows(workspace / "input/train.csv", 1)
    shuffle_rows(workspace / "input/sample_submission.csv", 2)
    again = run_all(make_config(tree))
    assert Path("folds/toy_multiclass.csv").read_bytes() == plan
    assert again != whole
    assert sorted(again.splitlines()) == sorted(whole.splitlines())


def test_identity_reordered_columns_give_the_same_answers(toy: Toy, workspace: Path) -> None:
    tree = toy("multilabel")
    run_all(make_config(tree))
    first = read_table(Path("submissions/toy_multilabel.csv")).values
    path = workspace / "input/sample_submission.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("".join(f"{c},{a},{b}\n" for a, b, c in rows))
    ensemble(open_experiment(make_config(tree)))
    table = read_table(Path("submissions/toy_multilabel.csv"))
    assert table.columns == ("odd", "id", "bright")
    assert table.values == first


def test_partition_every_image_is_judged_by_a_model_that_never_saw_it(toy: Toy) -> None:
    tree = toy("multiclass")
    run_all(make_config(tree))
    plan = read_table(Path("folds/toy_multiclass.csv"))
    fold_of = dict(zip(plan.values["id"], plan.values["fold"], strict=True))
    parts = [Predictions.load(Path(f"runs/toy_multiclass/fold_{k}/valid")) for k in range(2)]
    assert sorted(name for part in parts for name in part.ids) == sorted(fold_of)
    for fold, part in enumerate(parts):
        assert {fold_of[name] for name in part.ids} == {str(fold)}


def test_partition_a_stale_plan_is_refused_with_the_command_that_mends_it(
    toy: Toy, workspace: Path
) -> None:
    experiment = open_experiment(make_config(toy("multiclass")))
    make_folds(experiment, replace=False)
    path = workspace / "input/train.csv"
    path.write_text(path.read_text() + "new,1\n")
    paint(workspace / "input/train/new.png", 100, seed=5)
    with pytest.raises(PlanError, match=r"(?s)'new'.*comp folds make --extend"):
        train(experiment, "0")


def test_partition_a_run_of_another_plan_is_refused(toy: Toy) -> None:
    tree = toy("multiclass")
    run_all(make_config(tree))
    again = open_experiment(make_config({**tree, "seed": 7}))
    with pytest.raises(PlanError, match="--replace"):
        make_folds(again, replace=False)
    make_folds(again, replace=True)
    with pytest.raises(RunError, match=r"toy_multiclass"):
        train(again, "all")
    with pytest.raises(CheckError, match=r"toy_multiclass"):
        ensemble(again)


def test_chance_workers_and_a_second_run_change_nothing(toy: Toy, workspace: Path) -> None:
    tree = toy("multiclass")
    once = run_all(make_config(tree))
    probs = Path("runs/toy_multiclass/fold_0/test/probs.npy").read_bytes()
    for folder in ("folds", "runs", "cache", "submissions"):
        shutil.rmtree(workspace / folder)
    tree["train"]["workers"] = 2
    assert run_all(make_config(tree)) == once
    assert Path("runs/toy_multiclass/fold_0/test/probs.npy").read_bytes() == probs


def test_files_predictions_are_made_anew_only_when_they_must_be(toy: Toy) -> None:
    tree = toy("multiclass")
    run_all(make_config(tree))
    experiment = open_experiment(make_config(tree))
    assert predict(experiment, "all") == []
    shutil.rmtree("runs/toy_multiclass/fold_1/test")
    assert predict(experiment, "all") == [Path("runs/toy_multiclass/fold_1/test")]
    flipped = open_experiment(make_config({**tree, "predict": {"tta": "hflip"}}))
    assert len(predict(flipped, "0")) == 2


def test_files_a_refused_submission_leaves_the_old_one(toy: Toy, workspace: Path) -> None:
    tree = toy("multiclass")
    old = run_all(make_config(tree))
    rows = [[f"t{n:03d}", 0, 0] for n in range(6)]
    write_csv(workspace / "input/sample_submission.csv", [["id", "x", "y"], *rows])
    with pytest.raises(CheckError, match="do not fit multiclass"):
        ensemble(open_experiment(make_config(tree)))
    assert Path("submissions/toy_multiclass.csv").read_text() == old


def test_files_another_config_cannot_write_into_a_run(toy: Toy) -> None:
    tree = toy("multiclass")
    run_all(make_config(tree))
    tree["train"]["lr"] = 0.5
    with pytest.raises(RunError, match=r"train\.lr: 0\.003 -> 0\.5"):
        train(open_experiment(make_config(tree)), "0")


def test_honest_scores_stand_beside_the_tuned_one(toy: Toy) -> None:
    result_of = open_experiment(make_config(toy("binary")))
    make_folds(result_of, replace=False)
    train(result_of, "all")
    scores = ensemble(result_of).blend.scores
    assert scores.tuned >= scores.raw
    assert scores.honest >= scores.raw
    assert scores.low <= scores.honest <= scores.high


def test_a_competition_that_knows_its_answers_is_scored_against_them(
    toy: Toy, workspace: Path
) -> None:
    tree = toy("multiclass", data__test_answers="answers.csv")
    answers = [[f"t{n:03d}", n % 2] for n in range(6)]
    write_csv(workspace / "input/answers.csv", [["id", "label"], *answers])
    run_all(make_config(tree))
    result = ensemble(open_experiment(make_config(tree)))
    given = dict(line.split(",") for line in result.path.read_text().splitlines()[1:])
    hits = [given[name] == str(label) for name, label in answers]
    assert result.true_score is not None
    assert (result.true_score == 1.0) == all(hits)
