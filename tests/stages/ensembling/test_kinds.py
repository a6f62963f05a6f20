"""Masks from folds to files: resumed, checked, in every form, refused where they must be."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, PlanError, SubmissionError
from comp.data.index.tables import read_table
from comp.data.masks import rle
from comp.inference.views import view_probs, views_of
from comp.stages.board import read_board
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Ensembled
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.folds import make_folds
from comp.stages.status import read_status
from comp.stages.submission import check_file, diff_files, explain
from comp.stages.train import train
from comp.submission.formats.png import PngFormat

Toy = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for the workspace that `trained` makes."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def trained(toy: Toy, kept: Path) -> Experiment:
    """A toy of discs and boxes whose two folds are trained, once for all tests."""
    experiment = open_experiment(make_config(toy("segmentation", train__epochs=12)))
    if any(kept.iterdir()):
        shutil.copytree(kept, Path(), dirs_exist_ok=True)
        return experiment
    make_folds(experiment, replace=False)
    train(experiment, "all")
    shutil.copytree(Path(), kept, dirs_exist_ok=True)
    return experiment


def again(experiment: Experiment, **over: Any) -> Ensembled:
    config = experiment.config
    for name, values in over.items():
        part = getattr(config, name).model_copy(update=values)
        config = config.model_copy(update={name: part})
    return ensemble(replace(experiment, config=config))


def test_every_form_holds_the_same_masks(trained: Experiment) -> None:
    result = again(trained)
    assert result.blend.scores.raw > 0.2
    table = read_table(result.path)
    cells = dict(zip(table.values["ImageId_ClassId"], table.values["EncodedPixels"], strict=True))
    zipped = again(trained, submission={"write": "masks"})
    packed = io.BytesIO(zipped.path.read_bytes())
    coco = again(trained, submission={"write": "coco"})
    regions = json.loads(coco.path.read_text())
    assert (zipped.path.suffix, coco.path.name) == (".zip", "toy_segmentation.coco.json")
    with zipfile.ZipFile(packed) as files:
        for number in range(6):
            coded = np.frombuffer(files.read(f"t{number:03d}.png"), dtype=np.uint8)
            mask = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
            assert mask is not None
            assert mask.shape == (40, 48)
            name = f"t{number:03d}.png"
            for code in (1, 2):
                assert (rle.decode(cells[f"{name}_{code}"], 40, 48) == (mask == code)).all()
                own = [r for r in regions if (r["image_id"], r["category_id"]) == (name, code)]
                count = cv2.connectedComponents((mask == code).astype(np.uint8), connectivity=8)[0]
                assert len(own) == count - 1
    assert explain("toy_segmentation")[0]["file"] == coco.path.name
    assert explain("toy_segmentation")[1]


@pytest.mark.parametrize("form", ["masks", "coco"])
def test_what_is_no_table_passes_the_same_gate(trained: Experiment, form: str) -> None:
    result = again(trained, submission={"write": form})
    rows, warnings = check_file(trained, result.path)
    assert (rows, warnings) == (12, list(result.warnings))
    status = read_status(trained.config)
    assert (status.submission, status.current) == (str(result.path), True)
    entries = [entry for group in read_board(Path()) for entry in group.entries]
    kept = next(entry for entry in entries if entry.kind == "submission")
    assert (kept.name, kept.raw) == ("toy_segmentation", result.blend.scores.raw)
    copy = result.path.with_name("again" + result.path.name.removeprefix("toy_segmentation"))
    copy.write_bytes(result.path.read_bytes())
    assert f"identical to an earlier submission: {result.path.name}" in check_file(trained, copy)[1]
    same = diff_files("again", "toy_segmentation", None)
    assert (same.rows > 0, same.ids, same.dice) == (True, (), {})
    whole = result.path.read_bytes()
    result.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SubmissionError, match="cannot be read"):
        check_file(trained, result.path)


def test_another_form_of_the_same_name_takes_the_place_of_the_first(
    trained: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    again(trained)
    again(trained, submission={"write": "coco"})
    names = [path.name for path in sorted(Path("submissions").glob("[!.]*"))]
    assert names == ["toy_segmentation.coco.json", "toy_segmentation.json"]
    assert "toy_segmentation.csv is replaced by" in capsys.readouterr().err
    again(trained)
    names = [path.name for path in sorted(Path("submissions").glob("[!.]*"))]
    assert names == ["toy_segmentation.csv", "toy_segmentation.json"]


def test_a_file_that_is_not_what_was_answered_replaces_nothing(
    trained: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = again(trained, submission={"write": "masks"}).path.read_bytes()
    pictures = PngFormat._pictures

    def other(file_format: PngFormat, mask: Any) -> Any:
        return pictures(file_format, np.where(mask > 0, 3 - mask, 0).astype(np.uint8))

    monkeypatch.setattr(PngFormat, "_pictures", other)
    with pytest.raises(SubmissionError, match="read back, it is not what was answered"):
        again(trained, submission={"write": "masks"})
    assert Path("submissions/toy_segmentation.zip").read_bytes() == before


def test_the_same_inputs_give_the_same_bytes(trained: Experiment) -> None:
    first = again(trained, submission={"write": "masks"}).path.read_bytes()
    assert again(trained, submission={"write": "masks"}).path.read_bytes() == first


def test_views_are_undone_on_maps_that_are_not_square(trained: Experiment) -> None:
    import torch

    class Net:
        """Says of each pixel how bright it is."""

        def logits(self, images: torch.Tensor) -> torch.Tensor:
            return torch.cat([images[:, :2].float(), 0 * images[:, :1].float()], dim=1) / 50

    image = torch.randint(0, 255, (1, 3, 20, 32), dtype=torch.uint8)
    one: torch.Tensor = view_probs(Net(), trained.task, image, views_of("none"))  # type: ignore[arg-type]
    all_views = view_probs(Net(), trained.task, image, views_of("d4"))  # type: ignore[arg-type]
    torch.testing.assert_close(all_views, one)


def test_a_changed_mask_makes_the_plan_stale_and_is_named(trained: Experiment) -> None:
    cv2.imwrite("input/train_masks/00003.png", np.zeros((40, 48), np.uint8))
    with pytest.raises(PlanError, match=r"ids have another mask: '00003.png'"):
        train(trained, "0")


def test_what_masks_cannot_do_is_said(trained: Experiment) -> None:
    with pytest.raises(ConfigError, match="rank needs all images at once"):
        again(trained, ensemble={"vote": "rank"})
    with pytest.raises(ConfigError, match="'probability' is not for segmentation; use one"):
        again(trained, submission={"write": "probability"})


def test_several_runs_are_compared_by_votes_and_weights(trained: Experiment) -> None:
    other = trained.config.model_copy(
        update={
            "name": "other",
            "seed": 7,
            "folds": trained.config.folds.model_copy(update={"plan": "toy_segmentation"}),
        }
    )
    train(open_experiment(other), "all")
    from comp.stages.ensembling.result import Request

    result = ensemble(trained, Request(("toy_segmentation", "other")))
    assert len(result.table) == 14
    assert result.path.name == "toy_segmentation+other.csv"
    for row in result.table:
        assert row.scores.low <= row.scores.honest <= row.scores.high
