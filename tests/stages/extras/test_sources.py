"""Training on extra data, pseudo-labels and a teacher: resumed to the bit, refused when changed."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from extra_toys import lay_more

from comp.config.loading import make_config
from comp.core.errors import ConfigError, Interrupted, RunError
from comp.stages.experiment import check_names, open_experiment
from comp.stages.extras.pseudo import make_pseudo
from comp.stages.train import open_job, train
from comp.train import loop
from comp.train.batches import make_loader
from comp.train.checkpoints import checkpoint
from comp.train.stop import Stop

Toy = Callable[..., dict[str, Any]]
EXTRA = {"root": "more", "target": ["label"], "map": {"dark": "0", "bright": "1"}, "share": 0.25}
DATA = {"root": "input", "id": "id", "target": "label"}


def student(toy: Toy, name: str = "student", **over: Any) -> Any:
    """The experiment of a run with a teacher, pseudo-labels and extra data on a finished toy."""
    tree: dict[str, Any] = {
        "name": name,
        "folds__plan": "toy_binary",
        "data": {**DATA, "extra": [EXTRA]},
        "train__teacher": {"run": "toy_binary"},
        "train__pseudo": {"name": "p"},
        **over,
    }
    return open_experiment(make_config(toy(**tree)))


@pytest.fixture
def ready(finished: Toy) -> Toy:
    """A finished toy with another data set and pseudo-labels for its test images."""
    lay_more(("dark", "bright"))
    make_pseudo(open_experiment(make_config(finished())), ("toy_binary",), "p")
    return finished


def test_an_epoch_shows_all_of_them_and_validation_none(ready: Toy) -> None:
    job = open_job(student(ready), 0)
    assert [len(part.rows) for part in job.beside] == [12, 6]
    assert (len(job.train_rows), len(job.valid_rows)) == (12, 12)
    targets = np.concatenate([t.numpy() for _, t in make_loader(job, 0).epoch(0)])
    assert targets.shape == (12 + 4 + 6, 1)  # a quarter of 16 is 4
    hard = ((targets == 0) | (targets == 1)).sum()
    assert hard == 4  # the extra images; the rest is mixed with what the teacher says
    assert job.soft is not None
    assert (job.soft[job.valid_rows] == job.target[job.valid_rows, None]).all()


@pytest.mark.parametrize("over", [{}, {"augment__mixup": 0.4, "train__micro_batch": 2}])
def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_weights(
    ready: Toy, monkeypatch: pytest.MonkeyPatch, over: dict[str, Any]
) -> None:
    train(student(ready, "whole", **over), "0")
    stop, original, steps = Stop(), loop.update, count(1)

    def update(*parts: Any) -> None:
        original(*parts)
        if next(steps) == 3:  # of four in the first epoch
            stop.signal = signal.SIGTERM

    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="epoch 1 step 3"):
        patch.setattr(loop, "update", update)
        train(student(ready, "broken", **over), "0", stop=stop)
    train(student(ready, "broken", **over), "0")
    whole, broken = (
        checkpoint.load(Path(f"runs/{name}/fold_0/last.pt"))["model"]
        for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_a_finished_fold_of_other_sources_is_refused(ready: Toy) -> None:
    train(student(ready), "0")
    assert train(student(ready), "0")[0].before
    shutil.copy("more/train/m02.png", "more/train/m00.png")
    with pytest.raises(RunError, match="trained on other extra images, pseudo-labels or doubts"):
        train(student(ready), "0")


def test_what_is_wrong_is_told_before_a_folder_is_made(ready: Toy) -> None:
    with pytest.raises(RunError, match="no pseudo-labels 'q'"):
        train(student(ready, train__pseudo={"name": "q"}), "0")
    assert not Path("runs/student").exists()


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"model__probe": "logistic"}, "not with model.probe"),
        (
            {"augment__cutpaste": 0.5},
            "not with data.extra, train.pseudo, train.teacher",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    ready: Toy, over: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_names(student(ready, **over))


def test_masks_have_no_pseudo_labels(toy: Toy) -> None:
    experiment = open_experiment(make_config(toy("segmentation", train__pseudo={"name": "p"})))
    with pytest.raises(ConfigError, match=r"train\.pseudo: for answers per image"):
        check_names(experiment)
