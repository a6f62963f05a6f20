"""Networks trained on all images: for the folds' best number of epochs, and never in a score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from comp.config.loading import load_config, make_config
from comp.core.errors import ConfigError, RunError
from comp.inference.predictions import Predictions
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Request
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.extras.refit import refit
from comp.stages.predict import open_predictor
from comp.stages.status import read_status
from comp.stages.train import train
from comp.train.batches import make_loader
from comp.train.checkpoints import checkpoint
from comp.train.job import Job

Toy = Callable[..., dict[str, Any]]
RUN = Path("runs/toy_binary")


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def best_epochs(*epochs: int) -> None:
    """Write into the manifests which epoch was the best."""
    for number, epoch in enumerate(epochs):
        path = RUN / f"fold_{number}/done.json"
        manifest = json.loads(path.read_text())
        manifest["best"]["epoch"] = epoch
        path.write_text(json.dumps(manifest))


def test_all_images_are_trained_on_for_the_mean_of_the_best_epochs(
    finished: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    best_epochs(0, 1)
    seen: list[Job] = []

    def note(job: Job, workers: int) -> Any:
        seen.append(job)
        return make_loader(job, workers)

    monkeypatch.setattr("comp.train.loop.make_loader", note)
    made = refit(opened(finished()), 2)
    assert [(fold.manifest["epochs"], fold.manifest["validated"]) for fold in made] == [
        (2, False)
    ] * 2
    assert [len(job.train_rows) for job in seen] == [24, 24]
    assert "refit 1  epoch 2/2" in capsys.readouterr().err
    first, second = (checkpoint.load(RUN / f"refit_{n}/last.pt")["model"] for n in range(2))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    assert all(fold.before for fold in refit(opened(finished()), 2))


def test_what_is_counted_in_epochs_shrinks_with_them(finished: Toy) -> None:
    over = {"train__epochs": 4, "train__warmup_epochs": 2, "train__freeze_epochs": 2, "name": "x"}
    experiment = opened(finished(folds__plan="toy_binary", **over))
    train(experiment, "all")
    for number in range(2):
        path = Path(f"runs/x/fold_{number}/done.json")
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({**manifest, "best": {**manifest["best"], "epoch": 1}}))
    refit(experiment)
    kept = load_config(Path("runs/x/refit_0/config.yaml")).train
    assert (kept.epochs, kept.warmup_epochs, kept.freeze_epochs, kept.top_k) == (2, 1, 1, 1)


def test_they_vote_and_the_scores_stay_those_of_the_folds(finished: Toy) -> None:
    refit(opened(finished()))
    plain = ensemble(opened(finished()), Request((), (), False, "plain"))
    voted = ensemble(opened(finished(ensemble__refit=True)), Request((), (), False, "voted"))
    assert voted.blend.scores == plain.blend.scores
    assert "1 refits of all images vote: not validated, in no score" in voted.blend.note
    about = json.loads(voted.manifest.read_text())
    members = about["blend"]["members"]
    assert [member["run"] for member in members] == [
        f"{RUN}/fold_0/test",
        f"{RUN}/fold_1/test",
        f"{RUN}/refit_0/test",
    ]
    assert [member.get("refit") for member in members] == [None, None, 0]
    own = Predictions.load(RUN / "refit_0/test")
    assert own.ids == tuple(f"t{row:03d}" for row in range(6))
    assert not (RUN / "refit_0/valid").exists()
    assert np.isfinite(np.asarray(own.probs)).all()


def test_the_status_names_them(finished: Toy) -> None:
    refit(opened(finished()))
    (found,) = read_status(make_config(finished())).refits
    assert (found.state, found.epochs, found.best, found.changed) == ("done", 2, None, ())


def test_what_cannot_be_refitted_is_refused(finished: Toy) -> None:
    with pytest.raises(RunError, match=r"has no refit. Run `comp train --refit` first"):
        open_predictor(opened(finished())).refitted()
    with pytest.raises(ConfigError, match="plateau follows the validation score"):
        refit(opened(finished(train__sched="plateau")))
    with pytest.raises(ConfigError, match="not for probes"):
        refit(opened(finished(model__probe="logistic")))
    (RUN / "fold_1/done.json").unlink()
    with pytest.raises(RunError, match="fold 1 is not trained to its end"):
        refit(opened(finished()))
