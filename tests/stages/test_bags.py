"""Bags through all stages, under the laws: identity, partition, chance, files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_toys import bag_tree, lay_bags, lay_videos, video_tree
from toys import paint, write_csv
from train_jobs import Killed, kill_at, weights

from comp.config.loading import make_config
from comp.config.workspace import RunDir
from comp.core.errors import ConfigError, DataError, PlanError, RunError, UsageError
from comp.data.index.tables import read_table
from comp.inference.predictions import Predictions
from comp.stages.bags import copies_of_bags
from comp.stages.check import check
from comp.stages.ensemble import ensemble
from comp.stages.experiment import Experiment, check_names, open_experiment, read_plan, read_train
from comp.stages.features.embed import embed
from comp.stages.folds import make_folds
from comp.stages.predict import predict
from comp.stages.search.find import find_batch
from comp.stages.train import train

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def run_all(tree: dict[str, Any]) -> str:
    experiment = opened(tree)
    make_folds(experiment)
    train(experiment, "all")
    return ensemble(experiment).path.read_text()


def oof(count: int = 2) -> dict[str, float]:
    parts = [Predictions.load(Path(f"runs/toy_binary/fold_{k}/valid")) for k in range(count)]
    return {n: float(p[0]) for part in parts for n, p in zip(part.ids, part.probs, strict=True)}


@pytest.mark.parametrize("pool", ["attention", "channels"])
def test_patients_are_answered_once_each_in_the_order_of_the_sample(
    workspace: Path, pool: str
) -> None:
    lay_bags(Path("input"))
    over = {"train__epochs": 4, "predict__tta": "hflip", "ensemble__tune": False}
    text = run_all(bag_tree(model__pool_bag=pool, **over))
    assert [line.split(",")[0] for line in text.splitlines()] == [
        "patient", "t19", "t18", "t17", "t16",
    ]  # fmt: skip
    plan = read_table(Path("folds/toy_binary.csv"))
    assert sorted(oof()) == list(plan.values["id"]) == [f"p{n:02d}" for n in range(16)]
    fold_of = dict(zip(plan.values["id"], plan.values["fold"], strict=True))
    for fold in range(2):  # each is judged by a model that saw none of its images
        part = Predictions.load(Path(f"runs/toy_binary/fold_{fold}/valid"))
        assert {fold_of[name] for name in part.ids} == {str(fold)}


def test_identity_rows_in_another_order_give_the_same_bytes(workspace: Path) -> None:
    lay_bags(Path("input"))
    whole = run_all(bag_tree())
    plan = Path("folds/toy_binary.csv").read_bytes()
    for folder in ("folds", "runs", "cache", "submissions"):
        shutil.rmtree(folder)
    for seed, name in enumerate(("train.csv", "test.csv")):
        header, *rows = Path("input", name).read_text().splitlines()
        order = np.random.default_rng(seed).permutation(len(rows))
        Path("input", name).write_text("\n".join([header, *(rows[n] for n in order)]) + "\n")
    assert run_all(bag_tree()) == whole
    assert Path("folds/toy_binary.csv").read_bytes() == plan


@pytest.mark.parametrize(
    "over", [{}, {"image__bag_sample": "window", "model__pool_bag": "gru", "augment__mixup": 0.2}]
)
def test_chance_workers_and_kills_change_no_bit(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, over: dict[str, Any]
) -> None:
    lay_bags(Path("input"))
    alone = opened(bag_tree(**over))
    make_folds(alone)
    train(alone, "0")
    wanted = weights(RunDir(Path("runs/toy_binary/fold_0")))
    helped = opened(bag_tree(name="helped", folds__plan="toy_binary", train__workers=2, **over))
    train(helped, "0")
    minutes = {"train__checkpoint_minutes": 1e-9}
    broken = opened(bag_tree(name="broken", folds__plan="toy_binary", **over, **minutes))
    for call in (1, 1):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, call)
            train(broken, "0")
    train(broken, "0")
    for name in ("helped", "broken"):
        mine = RunDir(Path(f"runs/{name}/fold_0"))
        assert (
            mine.history.read_bytes() == RunDir(Path("runs/toy_binary/fold_0")).history.read_bytes()
        )
    same = {weights_of(name) for name in ("toy_binary", "helped", "broken")}
    assert len(same) == 1
    assert wanted


def weights_of(name: str) -> str:
    """A digest of the weights of a run; its checkpoint holds the name too."""
    from comp.train.checkpoints import checkpoint

    state = checkpoint.load(Path(f"runs/{name}/fold_0/last.pt"))
    text = b"".join(value.numpy().tobytes() for _, value in sorted(state["model"].items()))
    return str(hash(text))


def test_chance_labels_that_mean_nothing_score_as_chance(workspace: Path) -> None:
    lay_bags(Path("input"), 32)
    header, *rows = Path("input/train.csv").read_text().splitlines()
    draw = np.random.default_rng(4).permutation([0, 1] * 16)  # of bags: images of one agree
    cells = [line.split(",") for line in rows]
    table = [[*row[:3], draw[int(row[1][1:])]] for row in cells]
    write_csv(Path("input/train.csv"), [header.split(","), *table])
    run_all(bag_tree(train__epochs=4, ensemble__tune=False, metric="roc_auc"))
    truth = {row[1]: row[3] for row in table}
    found = oof()
    right = np.mean([(found[name] >= 0.5) == bool(truth[name]) for name in found])
    assert 0.2 < right < 0.8  # of 32 answers chance is within 0.18 of a half in 95 % of all draws


def test_partition_bags_of_one_group_share_a_fold(workspace: Path) -> None:
    lay_bags(Path("input"), group=True)
    experiment = opened(bag_tree(data__group="hospital"))
    make_folds(experiment)
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    fold = dict(zip(plan.ids, plan.fold.tolist(), strict=True))
    assert all(fold[f"p{n:02d}"] == fold[f"p{n + 1:02d}"] for n in range(0, 16, 2))
    assert plan.groups is not None
    assert len({*plan.groups}) == 8


def test_partition_an_image_that_moved_to_another_bag_makes_the_plan_stale(
    workspace: Path,
) -> None:
    lay_bags(Path("input"))
    experiment = opened(bag_tree())
    make_folds(experiment)
    path = Path("input/train.csv")
    path.write_text(path.read_text().replace("300,p00,0", "300,p02,9"))
    with pytest.raises(PlanError, match=r"2 ids have another bag: 'p00' '2 images .* '1 images"):
        train(experiment, "0")


def test_partition_copies_in_two_bags_are_a_leak_and_in_one_are_none(workspace: Path) -> None:
    lay_bags(Path("input"))
    ids = read_table(Path("input/train.csv"))
    of = dict(zip(ids.values["id"], ids.values["patient"], strict=True))
    own = {bag: [i for i in of if of[i] == bag] for bag in ("p00", "p02")}
    shutil.copy(f"input/train/{own['p00'][0]}.png", f"input/train/{own['p02'][0]}.png")
    experiment = opened(bag_tree())
    check(experiment, accept_groups=False, skip=False, allow_extra_images=False)
    record = json.loads(Path("checks/toy_binary.json").read_text())
    assert any({own["p00"][0], own["p02"][0]} <= {*group["ids"]} for group in record["copies"])
    index = read_train(experiment)
    from comp.stages.experiment import read_found

    (copies,) = read_found(experiment, index).copies
    assert copies.ids == ("p00", "p02")
    assert copies_of_bags(read_found(experiment, index), index).copies == ()


def test_contents_another_order_is_refused_by_a_run_that_was_begun(workspace: Path) -> None:
    lay_bags(Path("input"))
    experiment = opened(bag_tree())
    make_folds(experiment)
    train(experiment, "0")
    header, *rows = Path("input/train.csv").read_text().splitlines()
    cells = [line.split(",") for line in rows]
    write_csv(
        Path("input/train.csv"),
        [header.split(","), *([a, b, 10 - int(c), d] for a, b, c, d in cells)],
    )
    with pytest.raises(RunError, match="trained on other image files"):
        predict(experiment, "0")


def test_videos_are_ordered_bags(workspace: Path) -> None:
    lay_videos(Path("input"))
    text = run_all(video_tree(train__epochs=2, model__pool_bag="transformer"))
    assert text.splitlines()[0] == "id,label"
    assert len(text.splitlines()) == 5
    lines = Path("folds/toy_binary.csv").read_text().splitlines()
    assert lines[0] == "id,fold,group,label,bag"
    assert "8 images" in lines[1]


def test_groups_that_check_found_are_bags(workspace: Path) -> None:
    from toys import save, scene

    for number in range(12):
        whole = scene(number, 96)
        for shot in range(2 if number % 3 else 1):
            part = "train" if number < 9 else "test"
            save(Path(f"input/{part}/{number:02d}{shot}.png"), whole[shot:, shot:])
    rows = [[path.stem, int(path.stem[:2]) % 2] for path in sorted(Path("input/train").iterdir())]
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    names = [path.stem for path in sorted(Path("input/test").iterdir())]
    write_csv(Path("input/sample_submission.csv"), [["id", "label"], *([n, 0] for n in names)])
    over = {"data__bag_order": None, "data__test_csv": None, "data__bag": "auto"}
    experiment = opened(bag_tree(**over, train__epochs=1))
    with pytest.raises(DataError, match="run `comp check`"):
        read_train(experiment)
    check(experiment, accept_groups=False, skip=False, allow_extra_images=False)
    text = run_all(bag_tree(**over, train__epochs=1))
    assert len(read_train(experiment)) == 9
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == names
    probs = Predictions.load(Path("runs/toy_binary/fold_0/test"))
    found = dict(zip(probs.ids, probs.probs[:, 0].tolist(), strict=True))
    assert found["100"] == found["101"]
    assert found["100"] != found["110"]


def test_faults_a_test_image_that_is_set_aside_is_grey_in_its_bag(
    workspace: Path, comp: Run
) -> None:
    lay_bags(Path("input"))
    Path("configs").mkdir()
    import yaml

    Path("configs/toy.yaml").write_text(yaml.safe_dump(bag_tree()))
    first = read_table(Path("input/test.csv")).values["id"][0]
    Path(f"input/test/{first}.png").write_bytes(b"no image")
    Path("input/train/300.png").write_bytes(b"")
    code, told, _ = comp("check", "-c", "configs/toy.yaml")
    assert code == 3
    assert first in told
    assert "'300'" in told
    assert comp("check", "-c", "configs/toy.yaml", "--bad", "skip")[0] == 0
    text = run_all(bag_tree(train__epochs=1))
    assert len(text.splitlines()) == 5
    index = read_train(opened(bag_tree()))
    assert index.bags is not None
    assert "300" not in index.bags.names()[0]


def test_check_tells_of_bags_and_of_torn_labels(workspace: Path) -> None:
    lay_bags(Path("input"))
    experiment = opened(bag_tree())
    found = check(experiment, accept_groups=False, skip=False, allow_extra_images=False)
    assert not found.bad
    assert any("62 training images are in 16 bags of 2 to 6" in f.text for f in found.findings)
    path = Path("input/train.csv")
    path.write_text(path.read_text().replace("300,p00,0,0", "300,p00,0,1"))
    found = check(experiment, accept_groups=False, skip=False, allow_extra_images=False)
    assert any("1 of 16 bags have images of several labels" in f.text for f in found.findings)
    with pytest.raises(DataError, match=r"'p00' \('0', '1'\)"):
        read_train(experiment)


@pytest.mark.parametrize(
    ("over", "text"),
    [
        ({"model__pool_bag": "gru", "data__bag_order": None}, "pool_bag: gru: needs images in an"),
        ({"image__bag_sample": "window", "data__bag_order": None}, "bag_sample: window: needs"),
        ({"model__pool_bag": "lstm"}, r"unknown model.pool_bag 'lstm'"),
        ({"model__probe": "logistic"}, "data.bag: not with model.probe"),
        ({"augment__copies": {"classes": ["1"]}}, "data.bag: not with augment.copies"),
        ({"data__files": ["{id}_a.png"]}, "data.bag: not with data.files"),
        ({"image__channels": 1, "image__bits": 16}, "not with image.channels: 1, image.bits: 16"),
    ],
)
def test_what_does_not_go_with_bags_is_refused(over: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check_names(opened(bag_tree(**over)))


def test_commands_of_single_images_refuse_bags(workspace: Path) -> None:
    with pytest.raises(UsageError, match=r"comp embed: not with data.bag \(patient\)"):
        embed(opened(bag_tree()))


def test_a_fold_of_a_column_must_hold_whole_bags(workspace: Path) -> None:
    lay_bags(Path("input"))
    header, *rows = Path("input/train.csv").read_text().splitlines()
    cells = [line.split(",") for line in rows]

    def write(fold: Callable[[list[str]], int]) -> None:
        table = [[*row, fold(row)] for row in cells]
        write_csv(Path("input/train.csv"), [[*header.split(","), "fold"], *table])

    write(lambda row: int(row[1][1:]) // 2 % 2)
    plan, _, _ = make_folds(opened(bag_tree(data__fold="fold")))
    assert plan.fold.tolist() == [0, 0, 1, 1] * 4
    write(lambda row: int(row[2]) % 2)
    with pytest.raises(DataError, match=r"puts images of one bag .* several folds: 'p00'"):
        make_folds(opened(bag_tree(data__fold="fold")), replace=True)


def test_batches_of_bags_are_tried_at_their_size(workspace: Path) -> None:
    lay_bags(Path("input"))
    experiment = opened(bag_tree())
    make_folds(experiment)
    found = find_batch(experiment, 0, limit=2)
    assert found.largest == 2


def test_an_image_without_a_row_is_in_no_bag(workspace: Path) -> None:
    lay_bags(Path("input"))
    paint(Path("input/train/extra.png"), 10, 1)
    assert len(read_train(opened(bag_tree()))) == 16
