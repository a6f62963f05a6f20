"""The laws of the design, over whole runs. Each test fails when its law is broken."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from toys import paint, write_csv

from comp.config.loading import load_config, make_config
from comp.config.schema import Config
from comp.core.errors import CheckError, ConfigError, DataError, PlanError, RunError
from comp.data.index.tables import read_table
from comp.inference.predictions import Predictions
from comp.models.networks import Net
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.predict import predict
from comp.stages.train import train
from comp.submission.sample import read_sample
from comp.tasks.kinds import TASKS

pytestmark = pytest.mark.slow

Toy = Callable[..., dict[str, Any]]
SEED = 1  # of the noisy labels


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


SHAPES = {  # of one image
    "binary": (1,),
    "multiclass": (3,),
    "multilabel": (2,),
    "regression": (1,),
    "ordinal": (3,),
    "segmentation": (3, 32, 32),
    "multilabel_segmentation": (2, 32, 32),
}


def assert_shape(kind: str, folder: Path) -> None:
    """Predictions are (N, C) or (N, C, H, W); of a softmax they sum to 1 over C."""
    found = Predictions.load(folder)
    assert found.probs.shape == (len(found.ids), *SHAPES[kind])
    if found.link == "softmax":
        whole = 255 if found.probs.dtype == np.uint8 else 1
        total = found.probs.astype(float).sum(axis=1)
        np.testing.assert_allclose(total, whole, atol=2 if whole == 255 else 1e-5)


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_ends_in_a_submission_like_its_sample(toy: Toy, kind: str) -> None:
    text = run_all(make_config(toy(kind)))
    sample = read_sample(Path("input/sample_submission.csv"), "id")
    table = read_table(Path(f"submissions/toy_{kind}.csv"))
    assert table.columns == sample.columns
    assert tuple(table.values[sample.id_column]) == sample.ids
    assert text.endswith("\n")
    for part in ("valid", "test"):
        assert_shape(kind, Path(f"runs/toy_{kind}/fold_0/{part}"))
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


def wrong_data(folder: Path) -> None:
    """Three things that cannot be right: a label, an id twice, an image that is no image."""
    path = folder / "input/train.csv"
    path.write_text(path.read_text().replace("00004,1", "00004,") + "00007,1\n")
    (folder / "input/train/00009.png").unlink()


def test_repair_all_that_is_wrong_with_data_is_named_at_once(toy: Toy, workspace: Path) -> None:
    experiment = open_experiment(make_config(toy("multiclass")))
    wrong_data(workspace)
    with pytest.raises(DataError) as caught:
        make_folds(experiment, replace=False)
    text = str(caught.value)
    parts = (
        "the id '00007' stands on lines 9",
        "1 rows have no label: lines 6",
        "no image in input/train: '00009'",
    )
    assert [part for part in parts if part not in text] == [], text
    assert not Path("folds").exists()


def test_config_an_unknown_key_is_refused_with_its_path_and_the_nearest_name(toy: Toy) -> None:
    with pytest.raises(ConfigError, match=r"train\.epoch: unknown key.*Did you mean 'epochs'"):
        make_config(toy("multiclass", train__epoch=3))
    with pytest.raises(ConfigError, match=r"train\.epochs"):
        make_config(toy("multiclass", train__epochs="many"))


def test_config_the_resolved_copy_lies_in_the_run_folder(toy: Toy) -> None:
    config = make_config(toy("multiclass"))
    run_all(config, "0,1")
    assert load_config(Path("runs/toy_multiclass/fold_1/config.yaml")) == config


def macro_f1(target: Sequence[int], labels: Sequence[int]) -> float:
    return float(f1_score(target, labels, average="macro"))


def best_threshold(target: np.ndarray, probs: np.ndarray) -> float:
    """Every cut that there is, tried; of the best ones the threshold nearest to one half."""
    edges = [0.0, *sorted({*probs.tolist()}), 1.0 + 1e-9]
    points = [
        0.5 if low < 0.5 <= high else (low + high) / 2 for low, high in itertools.pairwise(edges)
    ]
    scores = [macro_f1(target, probs >= point) for point in points]
    best = [point for point, score in zip(points, scores, strict=True) if score == max(scores)]
    return min(best, key=lambda point: abs(point - 0.5))


def own_interval(target: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """A bootstrap of one's own."""
    draw = np.random.default_rng(9)
    picks = draw.integers(len(target), size=(400, len(target)))
    low, high = np.percentile([macro_f1(target[p], labels[p]) for p in picks], [2.5, 97.5])
    return float(low), float(high)


def test_honest_the_score_is_measured_on_rows_that_did_not_tune_it(
    toy: Toy, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network says how bright an image is, and labels are noisy: so what is reported can be
    computed again, from the predictions on the disk alone."""
    draw = np.random.default_rng(SEED)
    experiment = open_experiment(make_config(toy("binary", 60, train__epochs=1)))
    level = draw.uniform(20, 180, 60)
    label = (level + draw.normal(0, 60, 60) > 70).astype(int)
    rows = [[f"{n:05d}", value] for n, value in enumerate(label)]
    write_csv(workspace / "input/train.csv", [["id", "label"], *rows])
    for number, value in enumerate(level):
        paint(workspace / f"input/train/{number:05d}.png", value, seed=number)
    make_folds(experiment, replace=False)
    train(experiment, "all")

    def brightness(_: Net, images: torch.Tensor) -> torch.Tensor:
        return (images.float().mean(dim=(1, 2, 3))[:, None] - 128) / 32

    monkeypatch.setattr(Net, "logits", brightness)
    scores = ensemble(experiment).blend.scores

    truth = dict(zip((name for name, _ in rows), label.tolist(), strict=True))
    target, probs = [], []
    for fold in range(2):
        folder = Path(f"runs/toy_binary/fold_{fold}/valid")
        ids = folder.joinpath("ids.txt").read_text().splitlines()
        target.append(np.array([truth[name] for name in ids]))
        probs.append(np.load(folder / "probs.npy")[:, 0])
    cuts = [best_threshold(target[1 - fold], probs[1 - fold]) for fold in range(2)]
    decided = np.concatenate([probs[fold] >= cuts[fold] for fold in range(2)])
    everything, everywhere = np.concatenate(target), np.concatenate(probs)
    expected = macro_f1(everything, decided)
    raw = macro_f1(everything, everywhere >= 0.5)
    flattering = macro_f1(everything, everywhere >= best_threshold(everything, everywhere))
    assert raw < expected < flattering, "these data tell the three scores apart"
    assert scores.raw == pytest.approx(raw)
    # what two rules together score more than one does, from the same decisions taken turn about
    alone = [everywhere >= cut for cut in cuts]
    here = np.repeat([True, False], [len(target[0]), len(target[1])])
    together = [np.where(here, *alone), np.where(here, *alone[::-1])]
    assert together[0].tolist() == decided.tolist()
    own, both = ([macro_f1(everything, part) for part in parts] for parts in (alone, together))
    expected -= np.mean(both) - np.mean(own)
    assert scores.honest == pytest.approx(expected)
    assert scores.honest < scores.tuned <= flattering + 1e-12
    low, high = own_interval(everything, decided)
    assert (scores.low, scores.high) == pytest.approx((low, high), abs=0.04)


def test_honest_known_answers_are_scored_as_the_submission_stands(
    toy: Toy, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bright images are of class 1, dark ones of class 0; one of the answers says otherwise."""

    def brightness(_: Net, images: torch.Tensor) -> torch.Tensor:
        level = images.float().mean(dim=(1, 2, 3))
        return torch.stack([80 - level, level - 80, 0 * level - 99], dim=1)

    experiment = open_experiment(make_config(toy("multiclass", ensemble__tune=False)))
    make_folds(experiment, replace=False)
    train(experiment, "all")
    answers = {f"t{n:03d}": (n + (n == 0)) % 2 for n in range(6)}
    write_csv(workspace / "input/answers.csv", [["id", "label"], *map(list, answers.items())])
    tree = toy("multiclass", ensemble__tune=False, data__test_answers="answers.csv")
    monkeypatch.setattr(Net, "logits", brightness)
    result = ensemble(open_experiment(make_config(tree)))
    given = dict(line.split(",") for line in result.path.read_text().splitlines()[1:])
    assert given == {f"t{n:03d}": str(n % 2) for n in range(6)}
    expected = macro_f1([*answers.values()], [int(given[name]) for name in answers])
    assert 0 < expected < 1
    assert result.true_score == pytest.approx(expected)
