"""Content decides: damaged rows of packs, files replaced by others of the same size and time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.checksums import digest_file
from comp.core.errors import PackError, PlanError, RunError
from comp.data.cache import manifest
from comp.inference.predictions import Predictions
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Request
from comp.stages.experiment import open_experiment
from comp.stages.pack import pack
from comp.stages.predict import predict
from comp.stages.train import open_job, train
from comp.train.checkpoints import checkpoint

Toy = Callable[..., dict[str, Any]]
FOLD = Path("runs/toy_binary/fold_0")


@pytest.fixture
def packed(finished: Toy, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A finished workspace whose packs are made anew, as if opening looked at few of the rows."""
    monkeypatch.setattr(manifest, "_SAMPLED_ROWS", 1)
    shutil.rmtree("cache")
    pack(open_experiment(make_config(finished())))
    return finished


def damage(row: int) -> None:
    """Reverse the bytes of a row of the training pack."""
    (path,) = (
        path
        for path in Path("cache").glob("*/images.npy")
        if json.loads((path.parent / "manifest.json").read_text())["bytes"] > 128 + 6 * 192
    )
    content = path.read_bytes()
    start = 128 + 192 * row
    path.write_bytes(content[:start] + content[start : start + 192][::-1] + content[start + 192 :])


def weights() -> dict[str, np.ndarray]:
    saved = checkpoint.load(FOLD / "last.pt")["model"]
    return {name: value.numpy() for name, value in saved.items()}


@pytest.mark.parametrize("workers", [0, 2])
def test_training_on_a_damaged_pack_mends_it_and_ends_with_the_same_weights(
    packed: Toy, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    """F52."""
    expected = weights()
    damage(11)
    experiment = open_experiment(make_config(packed(train__workers=workers)))
    train(experiment, "0", restart=True)
    said = capsys.readouterr().err
    assert said.count("images.npy: the row of '00011' is damaged") == 1
    assert "1 rows are damaged: '00011'; packing again" in said
    found = weights()
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_prediction_from_a_damaged_pack_mends_it(
    packed: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    """F52."""
    folders = [FOLD.with_name(f"fold_{number}") / "valid" for number in range(2)]
    probs = [np.array(Predictions.load(folder).probs) for folder in folders]
    for folder in folders:
        shutil.rmtree(folder)
    damage(11)
    predict(open_experiment(make_config(packed())), "all")
    said = capsys.readouterr().err
    assert said.count("the row of '00011' is damaged") == 1
    for folder, before in zip(folders, probs, strict=True):
        np.testing.assert_array_equal(Predictions.load(folder).probs, before)


def test_who_cannot_go_on_by_itself_names_the_command_that_mends_the_pack(packed: Toy) -> None:
    damage(11)
    experiment = open_experiment(make_config(packed()))
    images = open_job(experiment, 0).images
    with pytest.raises(PackError, match=r"'00011' is damaged.*`comp pack --verify` makes the pack"):
        images.take(np.arange(24))
    pack(experiment, verify=True)
    assert open_job(experiment, 0).images.take(np.arange(24)).shape == (24, 8, 8, 3)


def replace_unseen(path: Path, brightness: int) -> None:
    """A flat image in a file of the same size, with the time of before."""
    state = path.stat()
    flat = np.full((8, 8, 3), brightness, np.uint8)
    content = cv2.imencode(".png", flat)[1].tobytes()
    path.write_bytes(content + bytes(state.st_size - len(content)))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)


def test_a_test_image_of_the_same_size_and_time_is_predicted_anew(finished: Toy) -> None:
    """F53."""
    experiment = open_experiment(make_config(finished()))
    assert predict(experiment, "all") == []
    before = np.array(Predictions.load(FOLD / "test").probs)
    replace_unseen(Path("input/test/t003.png"), 250)
    assert predict(experiment, "all") == [
        FOLD.with_name(fold) / "test" for fold in ("fold_0", "fold_1")
    ]
    after = np.array(Predictions.load(FOLD / "test").probs)
    assert [bool((a == b).all()) for a, b in zip(before, after, strict=True)] == [
        True, True, True, False, True, True,
    ]  # fmt: skip
    assert predict(experiment, "all") == []


def test_an_ensemble_answers_what_the_files_hold_now(finished: Toy) -> None:
    """F53."""
    experiment = open_experiment(make_config(finished()))
    before = ensemble(experiment).path.read_text()
    for number in range(6):
        replace_unseen(Path(f"input/test/t{number:03d}.png"), 240 if number % 2 == 0 else 10)
    assert ensemble(experiment).path.read_text() != before


def test_a_training_image_of_the_same_size_and_time_is_not_trained_on_halfway(
    finished: Toy,
) -> None:
    """F53."""
    replace_unseen(Path("input/train/00003.png"), 250)
    more = open_experiment(make_config(finished(train__epochs=3)))
    with pytest.raises(RunError, match=r"(?s)trained on other image files.*--restart"):
        train(more, "0")


@pytest.mark.parametrize("what", ["train", "predict", "ensemble"])
def test_a_finished_fold_of_images_that_were_replaced_is_refused(finished: Toy, what: str) -> None:
    """F53: neither skipped as finished, nor in an ensemble with two sets of images."""
    experiment = open_experiment(make_config(finished()))
    kept = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    whole = Path("input/train/00003.png").read_bytes()
    replace_unseen(Path("input/train/00003.png"), 250)
    stages: dict[str, Callable[[], Any]] = {
        "train": lambda: train(experiment, "all"),
        "predict": lambda: predict(experiment, "0"),
        "ensemble": lambda: ensemble(experiment),
    }
    with pytest.raises(RunError, match=r"fold_0: trained on other image files .*train --restart"):
        stages[what]()
    assert {path: path.read_bytes() for path in kept} == kept
    Path("input/train/00003.png").write_bytes(whole)
    assert all(done.before for done in train(experiment, "all"))
    assert predict(experiment, "all") == []


def test_views_are_not_chosen_on_a_fold_of_images_that_were_replaced(finished: Toy) -> None:
    experiment = open_experiment(make_config(finished(predict__tta="auto")))
    replace_unseen(Path("input/train/00003.png"), 250)
    train(experiment, "0", restart=True)
    with pytest.raises(RunError, match="fold_1: trained on other image files"):
        predict(experiment, "0")


def test_a_run_on_other_files_of_the_images_is_predicted_on_its_own(finished: Toy) -> None:
    """Not on those of the experiment that it is blended with."""
    shutil.copytree("input", "sharper")
    for path in [*Path("sharper").glob("*/*.png")]:
        replace_unseen(path, 40 + 80 * (int(path.stem[-2:]) % 2))
    here = open_experiment(make_config(finished()))
    tree = finished(name="sharp", data__root="sharper", folds__plan="toy_binary")
    there = open_experiment(make_config(tree))
    train(there, "all")
    predict(there, "all")
    paths = [
        Path(f"runs/sharp/fold_{fold}/{part}") for fold in (0, 1) for part in ("valid", "test")
    ]
    before = [np.array(Predictions.load(path).probs) for path in paths]
    ensemble(here, Request(runs=("toy_binary", "sharp")))
    for path, probs in zip(paths, before, strict=True):
        np.testing.assert_array_equal(Predictions.load(path).probs, probs)


def test_a_copied_workspace_is_the_same_workspace(
    finished: Toy, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inodes and times of a copy are others; what its files hold is not."""
    shutil.copytree(workspace, workspace.parent / "there", copy_function=shutil.copy)
    monkeypatch.chdir(workspace.parent / "there")
    (done,) = train(open_experiment(make_config(finished())), "0")
    assert done.before
    assert predict(open_experiment(make_config(finished())), "all") == []
    (done,) = train(open_experiment(make_config(finished(train__epochs=3))), "0")
    assert not done.before


def forget_contents(run: Path) -> None:
    """Checkpoints and predictions as 0.2.0 wrote them: without the content of the images."""
    for done in run.glob("fold_*/done.json"):
        digests = {}
        for name in ("best", "last"):
            saved = checkpoint.load(done.parent / f"{name}.pt")
            del saved["files"]
            checkpoint.save(saved, done.parent / f"{name}.pt")
            digests[f"{name}_sha256"] = digest_file(done.parent / f"{name}.pt")
        about = {**json.loads(done.read_text()), **digests}
        del about["images"]
        done.write_text(json.dumps(about))
        for path in done.parent.glob("*/manifest.json"):
            kept = json.loads(path.read_text())
            del kept["images"]
            kept["source"]["checkpoint_sha256"] = digests["best_sha256"]
            path.write_text(json.dumps(kept))


def test_what_earlier_versions_trained_and_predicted_is_taken_with_a_note(
    finished: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = open_experiment(make_config(finished()))
    forget_contents(experiment.workspace.run)
    assert predict(experiment, "all") == []
    said = capsys.readouterr().err
    assert "fold_0/valid: made by an earlier version, which noted the sizes" in said
    assert said.count("runs/toy_binary: trained by an earlier version, which noted the sizes") == 1
    assert all(done.before for done in train(experiment, "all"))
    (done,) = train(open_experiment(make_config(finished(train__epochs=3))), "0")
    assert not done.before


def test_what_earlier_versions_trained_on_files_of_other_sizes_is_refused(finished: Toy) -> None:
    experiment = open_experiment(make_config(finished()))
    forget_contents(experiment.workspace.run)
    path = Path("input/train/00003.png")
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(RunError, match=r"fold_0: trained on other image files .*train --restart"):
        ensemble(experiment)


def exchange(path: Path, old: str, new: str) -> None:
    """Another text of the same length in a file, which keeps its size and time."""
    state, text = path.stat(), path.read_text()
    assert (len(old), text.count(old)) == (len(new), 1)
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)


def test_tables_of_the_same_size_and_time_are_read_anew(finished: Toy) -> None:
    """F53: the sample submission, predictions of another program, and the answers."""
    outside = Path("outside.csv")
    train_ids = [f"{number:05d}" for number in range(24)]
    rows = [f"{name},0.5" for name in [*train_ids, *(f"t{number:03d}" for number in range(6))]]
    rows[-1] = "t005,0.0"
    outside.write_text("\n".join(["id,label", *rows, ""]))
    experiment = open_experiment(make_config(finished(submission__write="probability")))
    request = Request(added=(outside,))
    before = ensemble(experiment, request).path.read_text().splitlines()
    exchange(outside, "t005,0.0", "t005,1.0")
    exchange(Path("input/sample_submission.csv"), "t000,0\nt001,0", "t001,0\nt000,0")
    after = ensemble(experiment, request).path.read_text().splitlines()
    assert [line[:5] for line in before[1:3]] == ["t000,", "t001,"]
    assert [line[:5] for line in after[1:3]] == ["t001,", "t000,"]
    assert float(after[-1][5:]) - float(before[-1][5:]) == pytest.approx(
        0.5, abs=1e-6
    )  # of 2 models
    assert before[3:-1] == after[3:-1]
    table = Path("input/train.csv")
    label = table.read_text().splitlines()[4]
    exchange(table, label, label[:-1] + str(1 - int(label[-1])))
    with pytest.raises(PlanError, match="made for other data"):
        ensemble(experiment, request)
