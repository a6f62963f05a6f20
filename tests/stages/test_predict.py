"""Predictions are made where they are missing, kept where they fit, and refused where they cannot
be made."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import lay_masks, toy_tree

from comp.config.loading import make_config
from comp.core.checksums import digest_file
from comp.core.errors import RunError
from comp.inference.predictions import Predictions
from comp.inference.views import view_probs
from comp.stages import predict as predicting
from comp.stages import predict as stage
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.folds import make_folds
from comp.stages.predict import open_predictor, predict, saved_source
from comp.stages.train import train

Toy = Callable[..., dict[str, Any]]
FOLD = Path("runs/toy_binary/fold_0")


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def test_what_is_there_is_kept_and_what_is_missing_is_made_again(
    finished: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = opened(finished())
    assert predict(experiment, "all") == []
    whole = (FOLD / "test/probs.npy").read_bytes()
    shutil.rmtree(FOLD / "test")
    capsys.readouterr()
    assert predict(experiment, "1") == []
    assert predict(experiment, "all") == [FOLD / "test"]
    assert (FOLD / "test/probs.npy").read_bytes() == whole
    assert f"fold 0: 6 test images predicted -> {FOLD}/test" in capsys.readouterr().err


def test_the_parts_hold_the_images_of_their_fold_and_their_origin(finished: Toy) -> None:
    predictor = open_predictor(opened(finished()))
    valid, test = (Predictions.load(FOLD / part) for part in ("valid", "test"))
    assert valid.ids == predictor.plan.valid(0)
    assert test.ids == tuple(f"t{number:03d}" for number in range(6))
    assert (valid.probs.shape, valid.classes) == ((12, 1), ("0", "1"))
    for part, found in (("valid", valid), ("test", test)):
        known = {name: found.source[name] for name in ("plan", "fold", "checkpoint", "tta", "part")}
        assert known == {"plan": predictor.plan.fingerprint, "fold": 0, "checkpoint": "best.pt",
                         "tta": "none", "part": part}  # fmt: skip
        assert found.source["checkpoint_sha256"] == digest_file(FOLD / "best.pt")


@pytest.mark.parametrize(
    "over", [{"predict__tta": "hflip"}, {"predict__checkpoint": "last"}], ids=["tta", "checkpoint"]
)
def test_other_settings_are_predicted_anew(finished: Toy, over: dict[str, Any]) -> None:
    assert predict(opened(finished(**over)), "0") == [FOLD / "valid", FOLD / "test"]
    assert predict(opened(finished(**over)), "0") == []


def test_a_fold_that_is_not_finished_is_refused_with_the_command(finished: Toy) -> None:
    with pytest.raises(RunError, match=r"fold 0 is not trained to its end\. Run `comp train --f"):
        predict(opened(finished(train__epochs=3)), "0")
    (FOLD / "done.json").unlink()
    with pytest.raises(RunError, match="fold 0 is not trained to its end"):
        predict(opened(finished()), "0")


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_damaged_checkpoint_is_refused_before_any_fold_is_predicted(
    finished: Toy, name: str
) -> None:
    shutil.rmtree(FOLD / "test")
    Path(f"runs/toy_binary/fold_1/{name}.pt").write_bytes(b"torn")
    with pytest.raises(
        RunError, match=rf"fold 1: .*{name}\.pt.*`comp train --fold 1` finds what can be saved"
    ):
        predict(opened(finished(predict__checkpoint=name)), "all")
    assert not (FOLD / "test").exists()


def test_a_last_checkpoint_that_was_damaged_is_made_again_from_the_one_before(
    finished: Toy,
) -> None:
    experiment = opened(finished(predict__checkpoint="last"))
    predict(experiment, "all")
    before = (FOLD / "valid/probs.npy").read_bytes()
    shutil.rmtree(FOLD / "valid")
    (FOLD / "last.pt").write_bytes(b"torn")
    train(experiment, "0")
    predict(experiment, "all")
    assert (FOLD / "valid/probs.npy").read_bytes() == before


def test_a_checkpoint_of_another_fold_is_refused(finished: Toy) -> None:
    shutil.copy("runs/toy_binary/fold_1/best.pt", FOLD / "best.pt")
    done = json.loads((FOLD / "done.json").read_text())
    done["best_sha256"] = digest_file(FOLD / "best.pt")
    (FOLD / "done.json").write_text(json.dumps(done))
    with pytest.raises(RunError, match=r"best\.pt: of fold 1 and plan .*, wanted fold 0 of plan"):
        predict(opened(finished()), "0")


def test_damaged_predictions_have_no_source(finished: Toy) -> None:
    source = saved_source(FOLD / "valid")
    assert source is not None
    assert (source["part"], "path" in source) == ("valid", False)
    (FOLD / "valid/probs.npy").write_bytes(b"torn")
    assert saved_source(FOLD / "valid") is None
    assert saved_source(Path("nowhere")) is None


def test_views_are_judged_once_and_then_used(finished: Toy) -> None:
    experiment = opened(finished(predict__tta="auto"))
    for folder in Path("runs/toy_binary").glob("fold_*/*/"):
        shutil.rmtree(folder)
    assert len(predict(experiment, "all")) == 4
    saved = json.loads(Path("runs/toy_binary/tta.json").read_text())
    chosen = Predictions.load(FOLD / "test").source["tta"]
    assert chosen == saved["chosen"]
    assert chosen.split("+")[0] == "id"
    assert predict(experiment, "all") == []
    before = Path("runs/toy_binary/tta.json").stat().st_mtime_ns
    assert open_predictor(experiment).choose_views().chosen == chosen
    assert Path("runs/toy_binary/tta.json").stat().st_mtime_ns == before
    assert len(predict(opened(finished(predict__tta="id+flip")), "0")) == 2


def test_validation_images_are_predicted_with_the_views_that_other_folds_choose(
    finished: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = opened(finished(predict__tta="auto"))
    choice = open_predictor(experiment).choose_views()
    by_fold = {"0": "id", "1": "id+flip"}
    luck = replace(choice, chosen="id+rot90", by_fold=by_fold)
    monkeypatch.setattr(predicting, "choose_views", lambda *_: luck)
    Path("runs/toy_binary/tta.json").unlink()
    predict(experiment, "all")
    run = Path("runs/toy_binary")
    used = {
        f"{fold} {part}": Predictions.load(run / f"fold_{fold}/{part}").source["tta"]
        for fold in (0, 1)
        for part in ("valid", "test")
    }
    test = "id+rot90"
    assert used == {"0 valid": "id", "0 test": test, "1 valid": "id+flip", "1 test": test}
    assert predict(experiment, "all") == []
    other = replace(experiment, config=experiment.config.model_copy(update={"name": "other"}))
    assert run_experiment("toy_binary", other).config.predict.tta == "auto"


def test_views_are_judged_again_where_the_file_is_torn_or_of_other_checkpoints(
    finished: Toy,
) -> None:
    predictor = open_predictor(opened(finished()))
    first = predictor.choose_views()
    path = Path("runs/toy_binary/tta.json")
    whole = path.read_bytes()
    path.write_bytes(whole[:30])
    assert predictor.choose_views() == first
    assert path.read_bytes() == whole
    (FOLD / "done.json").unlink()
    assert predictor.choose_views().folds == 1
    Path("runs/toy_binary/fold_1/done.json").unlink()
    with pytest.raises(RunError, match="auto compares views on trained folds, and there are none"):
        predictor.choose_views()


@pytest.fixture(scope="module")
def _masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    lay_masks(folder / "input", 12)
    with contextlib.chdir(folder):
        experiment = opened(toy_tree("segmentation", train__epochs=1))
        make_folds(experiment)
        train(experiment, "all")
    return folder


@pytest.fixture
def trained(_masks: Path, workspace: Path) -> Experiment:
    """A toy of discs and boxes whose two folds are trained."""
    shutil.copytree(_masks, workspace, dirs_exist_ok=True)
    return opened(toy_tree("segmentation", train__epochs=1))


def test_maps_are_bytes_of_the_stated_size(trained: Experiment) -> None:
    over = trained.config.predict.model_copy(update={"mask_size": 20})
    config = trained.config.model_copy(update={"predict": over})
    (valid, test) = predict(replace(trained, config=config), "0")
    maps = Predictions.load(test)
    assert (maps.probs.shape, maps.probs.dtype) == ((6, 3, 20, 20), np.uint8)
    assert maps.classes == ("background", "1", "2")
    assert len(Predictions.load(valid).ids) == 6


def test_a_killed_prediction_of_maps_goes_on_where_it_was(
    trained: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "comp.inference.outputs.PIECE_BYTES", 3 * 32 * 32 * 4
    )  # four images a piece
    whole = [(path / "probs.npy").read_bytes() for path in predict(trained, "0")]
    for path in (trained.workspace.fold(0).valid, trained.workspace.fold(0).test):
        (path / "manifest.json").unlink()
    calls = []

    def dying(*given: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return view_probs(*given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("comp.inference.predict.view_probs", dying)
        predict(trained, "0")
    capsys.readouterr()
    assert [(path / "probs.npy").read_bytes() for path in predict(trained, "0")] == whole
    assert "parts were there already" in capsys.readouterr().err


def test_views_of_masks_are_judged_out_of_fold_and_used(trained: Experiment) -> None:
    config = trained.config
    auto = config.predict.model_copy(update={"tta": "auto"})
    experiment = replace(trained, config=config.model_copy(update={"predict": auto}))
    assert len(predict(experiment, "all")) == 4
    saved = json.loads(Path("runs/toy_segmentation/tta.json").read_text())
    assert [row["view"] for row in saved["rows"]] == list(predicting.VIEWS)
    kept = Predictions.load(Path("runs/toy_segmentation/fold_1/valid"))
    assert kept.source["tta"] == saved["by_fold"]["1"]
    assert predict(experiment, "all") == []


def test_views_are_judged_on_no_more_masks_than_memory_allows(
    trained: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    predictor = predicting.open_predictor(trained)
    side, columns = trained.config.image.size, 3
    monkeypatch.setattr(predicting, "VIEW_BYTES", 8 * columns * side * side * 2 * 4)
    predictor.choose_views()
    assert "8 views are compared on 6 of 12 images" in capsys.readouterr().err


def test_predictions_are_made_on_the_device_of_the_config(
    finished: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `train.deterministic` and all else that training obeys."""
    asked: list[Any] = []
    real = stage.device_of
    monkeypatch.setattr(stage, "device_of", lambda config: (asked.append(config), real(config))[1])
    experiment = opened(finished())
    shutil.rmtree(FOLD / "test")
    predict(experiment, "0")
    assert asked == [experiment.config]
