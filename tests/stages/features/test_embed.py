"""`comp embed` and runs of probes: made once, killable, refused where the network is another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from comp.config.loading import make_config
from comp.core.errors import ConfigError, RunError
from comp.inference.pieces import Pieces
from comp.inference.predictions import Predictions
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Request
from comp.stages.experiment import check_names, open_experiment, read_train
from comp.stages.features import embed as module
from comp.stages.features.embed import embed, view_names
from comp.stages.predict import predict
from comp.stages.status import read_status
from comp.stages.train import open_job, train
from comp.train.checkpoints import checkpoint
from comp.train.probes.fold import load_probe
from comp.train.probes.kinds import PROBES

Planned = Callable[..., dict[str, Any]]
PROBE = {"name": "p", "folds__plan": "toy_binary", "model__probe": "logistic"}


def opened(tree: dict[str, Any]) -> Any:
    return open_experiment(make_config(tree))


def test_views_have_the_names_of_single_views() -> None:
    assert view_names("none") == ("id",)
    assert view_names("flip+id") == ("flip", "id")
    assert len(view_names("d4")) == len(view_names("auto")) == 8
    assert len(view_names("flips")) == 4


def test_the_views_of_flips_are_those_of_the_library() -> None:
    import torch

    from comp.inference.views import views_of

    image = torch.arange(48).reshape(1, 3, 4, 4)
    for tta in ("hflip", "flips"):
        own = [views_of(name)[0].augment_image(image) for name in view_names(tta)]
        given = [view.augment_image(image) for view in views_of(tta)]
        assert {tuple(t.flatten().tolist()) for t in own} == {
            tuple(t.flatten().tolist()) for t in given
        }


def test_features_are_made_once_and_go_on_after_a_kill(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = opened(planned(**PROBE, predict__batch_size=4))
    monkeypatch.setattr("comp.inference.features._PIECE_ROWS", 4)
    first = embed(experiment, tta="hflip")
    assert [(one.part, one.view, one.images) for one in first] == [
        ("train", "id", 24), ("train", "flip", 24), ("test", "id", 6), ("test", "flip", 6)
    ]  # fmt: skip
    before = [one.file.read_bytes() for one in first]
    with monkeypatch.context() as patch:
        patch.setattr(module, "build_backbone", None)  # nothing is built again
        assert [one.file.read_bytes() for one in embed(experiment, tta="hflip")] == before
    first[0].file.with_name("manifest.json").unlink()
    write, written = Pieces.write, []

    def dying(self: Any, start: int, piece: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(start)
        write(self, start, piece)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Pieces, "write", dying)
        embed(experiment)
    monkeypatch.setattr(Pieces, "write", lambda *a: (written.append(a[1]), write(*a)))
    embed(experiment)
    assert written == [0, 4, 8, 12, 16, 20]  # none twice
    assert first[0].file.read_bytes() == before[0]


def test_a_probe_is_a_run_like_any_other(finished: Planned, capsys: Any) -> None:
    experiment = opened(finished(**PROBE, predict__tta="hflip"))
    done = train(experiment, "all")
    assert [fold.manifest["epochs"] for fold in done] == [1, 1]
    assert [fold.before for fold in train(experiment, "all")] == [True, True]
    status = read_status(experiment.config)
    assert [(fold.state, fold.epochs, fold.of) for fold in status.folds] == [("done", 1, 1)] * 2
    made = ensemble(experiment, Request(runs=("toy_binary", "p"), out="both"))
    assert [model.name for model in made.models] == ["toy_binary", "p"]
    probs = [Predictions.load(experiment.workspace.fold(k).valid) for k in (0, 1)]
    assert sum(len(part.ids) for part in probs) == 24
    assert read_status(experiment.config).folds[0].predicted == ("valid", "test")


@pytest.mark.parametrize("probe", ["knn", "mlp"])
def test_a_probe_trained_again_has_the_same_bits(
    planned: Planned, probe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROBES, probe, replace(PROBES[probe], strengths=(1, 3)))
    experiment = opened(planned(**{**PROBE, "model__probe": probe}))
    train(experiment, "0")
    run = experiment.workspace.fold(0)
    before = run.best.read_bytes()
    run.done.unlink()
    train(experiment, "0")
    assert run.best.read_bytes() == before
    predict(experiment, "0")


def test_features_of_other_weights_are_refused(planned: Planned) -> None:
    experiment = opened(planned(**PROBE))
    train(experiment, "0")
    for path in Path("cache").glob("features-*/manifest.json"):
        about = json.loads(path.read_text())
        path.write_text(json.dumps({**about, "weights_sha256": "0" * 64}))
    with pytest.raises(RunError, match="other weights"):
        predict(experiment, "0")


def test_damaged_features_are_made_again(planned: Planned, capsys: Any) -> None:
    experiment = opened(planned(**PROBE))
    (one, _) = embed(experiment)
    content = one.file.read_bytes()
    one.file.write_bytes(content[:-1] + b"\x7f")
    embed(experiment)
    assert "damaged; made again" in capsys.readouterr().err
    assert np.load(one.file).shape == (24, one.columns)


def test_what_does_not_go_together_is_told(planned: Planned) -> None:
    with pytest.raises(ConfigError, match=r"model\.probe.*logistic"):
        check_names(opened(planned(model__probe="logistc")))
    with pytest.raises(ConfigError, match="measured in each fold"):
        make_config(planned(**PROBE, image__mean="auto"))
    with pytest.raises(ConfigError, match="nothing to measure"):
        open_job(opened(planned(**PROBE)), 0)


def test_a_probe_learns_and_answers_from_the_mean_of_its_views(planned: Planned) -> None:
    experiment = opened(planned(**PROBE, model__views="hflip"))
    train(experiment, "0")
    predict(experiment, "0")
    views = [np.load(one.file) for one in embed(experiment, tta="hflip") if one.part == "train"]
    assert len(views) == 2
    assert not np.allclose(*views)
    saved = checkpoint.load(experiment.workspace.fold(0).best)
    found = Predictions.load(experiment.workspace.fold(0).valid)
    ids = read_train(experiment).ids
    valid = [ids.index(name) for name in found.ids]
    fitted = np.delete(np.mean(views, axis=0), valid, axis=0)
    assert np.allclose(saved["model"]["scaled.mean"].numpy(), fitted.mean(0), atol=1e-5)
    module = load_probe(saved, "logistic")
    logits = module(torch.from_numpy((views[0][valid] + views[1][valid]) / 2))
    assert np.allclose(found.probs, experiment.task.link.probs(logits).detach(), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model__views": "hflop", "model__probe": "knn"}, r"model\.views.*hflip"),
        ({"model__views": "hflip"}, r"model\.views is for probes"),
        (
            {"model__views": "hflip", "model__probe": "knn", "predict__tta": "flips"},
            r"leave predict\.tta out",
        ),
    ],
)
def test_views_that_cannot_be_are_refused(
    planned: Planned, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        check_names(opened(planned(**given)))
