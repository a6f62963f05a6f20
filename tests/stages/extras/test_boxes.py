"""The boxes of a segmentation run: of out-of-fold masks, for the crops of a second run."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import lay_masks, write_csv

from comp.config.loading import make_config
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError, PlanError, RunError, UsageError
from comp.data.folds.skipped import Skipped, read_skipped, write_skipped
from comp.data.images.crops import component_box
from comp.data.index.image_files import stem_of
from comp.inference.predictions import Predictions, save_pieces
from comp.report.console.status import print_status
from comp.stages.ensemble import ensemble
from comp.stages.experiment import (
    Experiment,
    open_experiment,
    read_plan,
    read_test_images,
    read_train,
    stage_before,
    uncut,
)
from comp.stages.extras import boxes as boxes_module
from comp.stages.extras.boxes import find_boxes, find_crops
from comp.stages.folds import make_folds
from comp.stages.runners import table
from comp.stages.runners.table import train_on
from comp.stages.runners.where import Where
from comp.stages.shipping.bundle import make_bundle
from comp.stages.status import read_status
from comp.stages.train import open_job, train

Toy = Callable[..., dict[str, Any]]


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


@pytest.fixture
def masks(toy: Toy) -> Experiment:
    """A trained segmentation toy, whose maps are then drawn: each image a box of its own."""
    experiment = opened(toy("segmentation", 12, train__epochs=1))
    make_folds(experiment, replace=False)
    train(experiment, "all")
    return experiment


def test_a_training_image_gets_the_box_of_its_own_fold_and_a_test_image_that_of_the_mean(
    masks: Experiment,
) -> None:
    first = find_boxes(masks, None)
    assert first.path == Path("boxes/toy_segmentation.csv")
    drawn: dict[str, Any] = {}
    for fold in range(2):
        for part in ("valid", "test"):
            folder = Path(f"runs/toy_segmentation/fold_{fold}/{part}")
            own = Predictions.load(folder)
            maps = np.zeros(own.probs.shape, np.uint8)
            maps[:, 0] = 255
            for row, name in enumerate(own.ids):
                x = 2 + 3 * fold + row % 5
                maps[row, :, 4:9, x : x + 8] = 0
                maps[row, 1, 4:9, x : x + 8] = 255
                if part == "valid":
                    drawn[name] = component_box(maps[row, 1] > 0)
            source = {k: v for k, v in own.source.items() if k != "path"}
            images = (folder / "manifest.json").read_text().split('"images": "')[1].split('"')[0]
            save_pieces(folder, own.ids, [maps], own.classes, own.link, source, images)
    made = find_boxes(masks, None)
    with made.path.open(newline="") as handle:
        rows = {row["id"]: row for row in csv.DictReader(handle)}
    for name, box in drawn.items():
        found = [float(rows[name][side]) for side in ("left", "top", "right", "bottom")]
        assert found == pytest.approx(box, abs=1e-5)
    tests = Predictions.load(Path("runs/toy_segmentation/fold_0/test"))
    side, name = tests.probs.shape[-1], tests.ids[0]
    # both folds say 5 to 10: half of the mean is enough where one of them says so
    assert float(rows[name]["left"]) == pytest.approx(2 / side, abs=1e-5)
    assert float(rows[name]["right"]) == pytest.approx(13 / side, abs=1e-5)
    assert made.images == len(drawn) + len(tests.ids)


def test_a_second_run_trains_on_the_crops(masks: Experiment) -> None:
    ids = sorted(path.name for path in Path("input/train").iterdir())
    boxes = [[name, 0.25, 0.25, 0.75, 0.75] for name in ids]
    write_csv(Path("boxes/drawn.csv"), [["id", "left", "top", "right", "bottom"], *boxes])
    rows = [[name, number % 2] for number, name in enumerate(ids)]
    write_csv(Path("input/train.csv"), [["id", "label"], *rows])
    data = {"root": "input", "id": "id", "target": "label", "sample_submission": None}
    tree = {
        "name": "crops",
        "task": "binary",
        "metric": "macro_f1",
        "data": {**data, "boxes": "boxes/drawn.csv"},
        "folds": {"count": 2},
        "image": {"size": 16},
        "model": {"name": "test_resnet", "pretrained": False},
    }
    whole = {**tree, "name": "whole", "data": data}
    for one in (tree, whole):
        make_folds(opened(one), replace=False)
    jobs = [open_job(opened(one), 0) for one in (tree, whole)]
    assert (jobs[0].train_rows == jobs[1].train_rows).all()
    assert jobs[0].files != jobs[1].files
    assert all((jobs[0].images[row] != jobs[1].images[row]).any() for row in range(len(ids)))


def test_what_has_no_boxes_is_refused(masks: Experiment, toy: Toy) -> None:
    with pytest.raises(UsageError, match="--class: 'q' is none of"):
        find_boxes(masks, None, ["q"])
    with pytest.raises(ConfigError, match="reads the masks of a segmentation run; task is binary"):
        find_boxes(opened(toy("binary")), None)


def chained(**over: Any) -> dict[str, Any]:
    """A config that classifies crops around the masks of a stage before."""
    names = ("encoder", "pretrained")
    stage = {
        "name": "found",
        "task": "segmentation",
        "metric": "dice",
        "data": {"layout": "masks", "id": "id"},
        "image": {"size": 32},
        "model": {"name": "unet", **dict(zip(names, ("tu-test_resnet", False), strict=True))},
        "train": {"epochs": 6, "batch_size": 4, "lr": 1e-2},
    }
    data = {"root": "input", "id": "id", "target": "label", "sample_submission": None}
    tree = {
        "name": "kinds",
        "task": "binary",
        "metric": "macro_f1",
        "data": data,
        "folds": {"count": 2},
        "image": {"size": 16},
        "model": {"name": "test_resnet", "pretrained": False},
        "train": {"epochs": 1, "batch_size": 4, "workers": 0},
        "ensemble": {"tune": False},
    }
    return {**tree, "stages": [{**stage, **over.pop("stage", {})}], **over}


@pytest.fixture(scope="module")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    lay_masks(folder / "input", 12)
    rows = [[path.name, n % 2] for n, path in enumerate(sorted((folder / "input/train").iterdir()))]
    write_csv(folder / "input/train.csv", [["id", "label"], *rows])
    with contextlib.chdir(folder):
        experiment = opened(chained())
        make_folds(experiment, replace=False)
        train_on(Where(), experiment, "all")
        ensemble(experiment)
    return folder


@pytest.fixture
def chain(_chain: Path, workspace: Path) -> Experiment:
    """A finished chain in a workspace of its own."""
    shutil.copytree(_chain, workspace, dirs_exist_ok=True)
    return opened(chained())


def boxes(path: str = "runs/found/boxes.csv") -> dict[str, list[float]]:
    sides = ("left", "top", "right", "bottom")
    with Path(path).open(newline="") as handle:
        return {
            row["id"]: [float(row[side] or side in sides[2:]) for side in sides]
            for row in csv.DictReader(handle)
        }


def test_both_stages_have_the_same_folds_and_the_second_sees_the_boxes_of_the_first(
    chain: Experiment,
) -> None:
    plans = [Path(f"folds/{name}.csv").read_text().splitlines() for name in ("kinds", "found")]
    folds = [{row["id"]: row["fold"] for row in csv.DictReader(plan)} for plan in plans]
    assert folds[0] == folds[1]
    assert len({*folds[0].values()}) == 2
    index, found = read_train(chain), boxes()
    assert np.allclose(np.array(index.boxes), [found[name] for name in index.ids])
    assert len({*index.boxes}) > 3, "the stage has learned something"
    for fold in range(2):  # each image by the network that did not see it
        own = Predictions.load(Path(f"runs/found/fold_{fold}/valid"))
        assert {folds[1][name] for name in own.ids} == {str(fold)}
        for row, name in enumerate(own.ids):
            shown = np.asarray(own.probs[row])[1:].sum(axis=0) / 255 >= 0.5
            assert found[name] == pytest.approx(component_box(shown) or (0, 0, 1, 1), abs=1e-5)


def test_a_finished_chain_makes_nothing_again(
    chain: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [
        *Path("runs").rglob("*.pt"),
        *Path("runs").rglob("*.csv"),
        *Path("cache").rglob("*.npy"),
    ]
    before = {path: path.stat().st_mtime_ns for path in kept}
    find_crops(chain)
    done = train_on(Where(), chain, "all")
    assert all(fold.before for fold in done)
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    whole = json.loads(Path("runs/found/boxes.json").read_text())["whole"]
    said = f"boxes of 18 training and test images; {whole} have no region and stay whole"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("lost", ["boxes.csv", "boxes.json", "fold_1/best.pt"])
def test_a_chain_that_was_killed_in_between_ends_with_the_same_bytes(
    chain: Experiment, lost: str
) -> None:
    kept = Path("submissions/kinds.csv").read_bytes()
    table = Path("runs/found/boxes.csv").read_bytes()
    if lost.endswith(".pt"):
        shutil.rmtree("runs/found/fold_1")
    else:
        Path("runs/found", lost).unlink()
    shutil.rmtree("runs/kinds")
    shutil.rmtree("cache")
    with pytest.raises(RunError, match="boxes of stage found are not there"):
        read_train(chain)
    status = read_status(chain.config)
    assert status.boxes is False
    assert status.next.startswith("comp train")
    train_on(Where(), chain, "all")
    ensemble(chain)
    assert Path("runs/found/boxes.csv").read_bytes() == table
    assert Path("submissions/kinds.csv").read_bytes() == kept
    assert read_status(chain.config).next == "done: the submission is written"


def test_folds_on_other_boxes_of_the_stage_are_refused(
    chain: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower = opened(chained(stage={"train": {"epochs": 6, "batch_size": 4, "lr": 2e-2}}))
    with pytest.raises(RunError, match=r"found/fold_0: begun with another config"):
        train_on(Where(), slower, "0")
    views = opened(chained(stage={"predict": {"tta": "flips"}}))
    monkeypatch.setattr(boxes_module, "component_box", lambda _: (0.1, 0.1, 0.9, 0.9))
    with pytest.raises(RunError, match=r"kinds/fold_0: trained on other image files"):
        train_on(Where(), views, "0")


def test_stages_of_other_images_are_refused(chain: Experiment) -> None:
    rows = Path("input/train.csv").read_text().splitlines()
    Path("input/train.csv").write_text("\n".join(rows[:-1]))
    with pytest.raises(PlanError, match=r"1 images are not in the plan: '00011'"):
        make_folds(chain, replace=True)


def test_wrong_stages_are_refused(workspace: Path) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "needs a name of its own": chained(stage={"name": "kinds"}),
        "not with data.boxes": chained(data={"root": "input", "boxes": "b.csv"}),
        "not with folds.holdout": chained(folds={"holdout": 0.2}),
        "finds masks, and binary has none": chained(stage={"task": "binary", "metric": "macro_f1"}),
        "folds: not in a stage": chained(stage={"folds": {"count": 2}}),
        "classes: a list of names": chained(stage={"classes": "cup"}),
        r"stages:\n.*epoch: unknown key": chained(stage={"epoch": 2}),
        "must answer every image": chained(stage={"train": {"subset": 8}}),
        "at most 1": chained() | {"stages": chained()["stages"] * 2},
        "masks are not cut": chained()["stages"][0]
        | {
            "data": {"root": "input", "layout": "masks"},
            "stages": chained(stage={"name": "b"})["stages"],
        },
    }
    for message, tree in wrong.items():
        with pytest.raises(ConfigError, match=message):
            opened(tree)


def test_what_was_set_aside_is_set_aside_in_the_stage_too(chain: Experiment) -> None:
    before = stage_before(chain)
    assert before is not None
    name = read_train(uncut(chain)).ids[3]
    test = read_test_images(before, ("a",)).ids[1]
    write_skipped(chain.workspace.skip_csv, Skipped({name: "torn"}, {test: "torn"}))
    made = make_folds(chain, replace=True)[0]
    assert name not in made.ids
    own = read_skipped(Path("folds/found.skip.csv"))
    assert ([*map(stem_of, own.train)], [*own.test]) == ([stem_of(name)], [test])
    stage = read_plan(before, read_train(before))
    assert {*map(stem_of, stage.ids)} == {*map(stem_of, made.ids)}


@pytest.mark.parametrize("least", [0.1, 0.9])
def test_an_image_without_a_region_stays_whole_to_the_byte(chain: Experiment, least: float) -> None:
    image = {"size": 16, "crop_least": least}
    drawn = Path("runs/found/boxes.csv")
    head, *rows = drawn.read_text().splitlines()
    drawn.write_text("\n".join([head, *(",".join(row.split(",")[:2]) + ",,,," for row in rows)]))
    note = Path("runs/found/boxes.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"sha256": digest_file(drawn)}))
    cut, whole = (open_job(one(opened(chained(image=image))), 0) for one in (lambda x: x, uncut))
    for row in range(len(whole.images)):
        np.testing.assert_array_equal(cut.images[row], whole.images[row])


def test_the_lines_of_stages_and_what_cannot_be_bundled(
    chain: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read_status(chain.config)
    assert found.stage is not None
    assert (found.stage.name, found.boxes) == ("found", True)
    assert [fold.state for fold in found.stage.folds] == ["done"] * 2
    print_status(found, "", as_json=False)
    said = "".join(capsys.readouterr())
    assert said.count("fold 1") == 2, said
    with pytest.raises(ConfigError, match="'kinds' need the table data.boxes"):
        make_bundle("kinds")


def test_folds_on_several_devices_are_trained_after_the_stage(
    chain: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage goes to the same devices, and is whole before the folds of the crops begin."""
    shutil.rmtree("runs")
    shared: list[tuple[str, list[int]]] = []

    def send(where: Where, one: Experiment, pieces: list[int], *args: Any, **kw: Any) -> None:
        shared.append((one.name, [*pieces]))
        train(one, "all")

    monkeypatch.setattr(table, "share_out", send)
    train_on(Where(on="devices", devices="cpu,cpu"), chain, "all")
    assert shared == [("found", [0, 1]), ("kinds", [0, 1])]
    assert boxes()
