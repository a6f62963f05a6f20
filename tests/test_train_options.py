"""The contract of every option of training, for every kind of task: a finite loss that falls on
one batch, and the same weights after a run was killed and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from train_jobs import Killed, kill_at, make_job, weights
from train_options import OPTIONS, THRICE

from comp.tasks.kinds import TASKS
from comp.tasks.losses import LOSSES
from comp.tasks.number_losses import NUMBER_LOSSES
from comp.train.batches import make_loader
from comp.train.checkpoints.resume import open_state
from comp.train.job import Job
from comp.train.loop import train_fold
from comp.train.update import settle, update

pytestmark = pytest.mark.slow

NOT_SPATIAL = (
    *("head", "init", "mixup", "cutmix", "both mixed", "erasing", "cutpaste", "copies"),
    "loss soft",
)
FOR_CLASSES = ("loss sum", "heads")
OF_NUMBERS = ("loss", "mixup", "both mixed", "head", "layer_decay", "ema", "clip")
SPATIAL = ("tiles", "own size", "decoder", "vanilla")
# What a step does not depend on: one kind stands for all
OF_ANY_KIND = ("sched", "sampler", "partly", "patience", "top_k", "min_lr", "vanilla")
STEPS = 6


def job_of(path: Path, kind: str, name: str, **over: Any) -> Job:
    """A toy fold with the option; skipped where the kind has no such option."""
    option = OPTIONS[name]
    loss, link = option.get("train__loss"), TASKS[kind].link.family
    spatial = TASKS[kind].spatial
    if isinstance(loss, str) and link not in LOSSES[loss].make:
        pytest.skip(f"{loss} is not for {link}")
    if isinstance(loss, str) and LOSSES[loss].regions and not spatial:
        pytest.skip(f"{loss} is for answers a pixel")
    if "cosine" in (option.get("model__head"), loss) and link != "softmax":
        pytest.skip("for one of several classes")
    if name.startswith(NOT_SPATIAL if spatial else SPATIAL) and name != "head_lr":
        pytest.skip("for answers an image" if spatial else "for answers a pixel")
    of_classes = {"gamma", "loss sum", "inverse", "effective"}
    if link == "grade" and name in of_classes:
        pytest.skip("for probabilities of classes")
    if TASKS[kind].link.measures and (not name.startswith(OF_NUMBERS) or name in FOR_CLASSES):
        pytest.skip("for classes, or the same for them")
    if "train__pos_weight" in option and link != "sigmoid":
        pytest.skip("for 0/1 columns")
    if "model__heads" in option and kind != "multiclass":
        pytest.skip("for joined classes")
    job = make_job(path, kind, **{**option, **over})
    if "model__heads" in option:
        job = replace(job, classes=("x|y", "x|z", "w|y"))
    return with_masks(job, path) if "augment__cutpaste" in option else job


def with_masks(job: Job, path: Path) -> Job:
    """Images of the last class, or with the last label, get the mask of a spot."""
    path.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((24, 24), dtype=np.uint8)
    mask[8:12, 8:14] = 255
    (path / "mask.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    last = job.target[:, -1] > 0 if job.target.ndim == 2 else job.target == job.target.max()
    return replace(job, mask_paths=tuple(path / "mask.png" if has else None for has in last))


def kinds_of(name: str) -> list[str]:
    if not name.startswith(OF_ANY_KIND):
        return list(TASKS)
    return ["segmentation" if name.startswith(SPATIAL) else "multiclass"]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for name in OPTIONS for kind in kinds_of(name)]
)
def test_the_loss_is_finite_and_falls_on_one_batch(tmp_path: Path, kind: str, name: str) -> None:
    job = job_of(tmp_path, kind, name, augment__recipe="none", model__drop_rate=0.0)
    tmp_path.mkdir(exist_ok=True)
    loader = make_loader(job, 0)
    state = open_state(job, STEPS, 8)
    images, target = next(iter(loader.epoch(0)))
    state.net.module.train()
    losses = []
    for _ in range(STEPS):
        state.loss_sum.zero_()
        update(job, state, images, target)
        settle(job, state)
        losses.append(float(state.loss_sum[0]))
    assert state.skipped == 0
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < losses[0], losses


ONCE = [name for name in OPTIONS if not name.startswith(THRICE)]
REGIONS = ["tiles", "own size", "norms", "inverse", "ema", "sampler balanced", "loss lovasz"]


@pytest.mark.parametrize("name", [*ONCE, *(f"{name}, a pixel" for name in REGIONS)])
def test_a_run_that_was_killed_and_resumed_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    name, _, spatial = name.partition(", ")
    link = OPTIONS[name].get("train__loss")
    sigmoid = "train__pos_weight" in OPTIONS[name] or link == "bce"
    kind = "multilabel" if sigmoid else "segmentation" if spatial else "multiclass"
    kind = "regression" if isinstance(link, str) and link in NUMBER_LOSSES else kind
    whole, broken = (job_of(tmp_path / where, kind, name) for where in ("whole", "broken"))
    train_fold(whole)
    broken = replace(broken, mask_paths=whole.mask_paths)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, 1)
        train_fold(broken)
    train_fold(broken)
    assert broken.run.history.read_bytes() == whole.run.history.read_bytes()
    kept = sorted(path.stem for path in whole.run.path.glob("*.pt") if path.stem != "last.1")
    for stem in kept:
        assert weights(broken.run, stem) == weights(whole.run, stem), stem


def test_a_frozen_body_stays_as_it_was_and_its_norms_too(tmp_path: Path) -> None:
    job = make_job(tmp_path, train__freeze_epochs=1, train__epochs=2, train__top_k=2)
    (tmp_path).mkdir(exist_ok=True)
    start = {name: v.clone() for name, v in open_state(job, 2, 8).net.module.state_dict().items()}
    train_fold(make_job(tmp_path, train__freeze_epochs=1, train__epochs=1))
    frozen = torch.load(job.run.best, weights_only=True)["model"]
    changed = {name for name, value in start.items() if not torch.equal(value, frozen[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_patience_ends_a_fold_and_the_fold_is_finished(tmp_path: Path) -> None:
    job = make_job(tmp_path, train__epochs=30, train__lr=1e-12, train__patience=2, train__ema=None)
    manifest = train_fold(job)
    history = job.run.history.read_text().splitlines()[1:]
    assert manifest["early"] is True
    assert manifest["epochs"] == len(history) < 30
    best = int(manifest["best"]["epoch"])
    assert len(history) - 1 - best == 2
    assert train_fold(job)["epochs"] == manifest["epochs"]


@pytest.mark.parametrize("over", [{"train__layer_decay": 0.5}, {"train__head_lr": 1e-2}])
def test_the_rate_that_is_told_is_that_of_the_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], over: dict[str, Any]
) -> None:
    job = make_job(tmp_path, train__sched="constant", train__lr=1e-3, train__epochs=1, **over)
    train_fold(job)
    assert "  lr 1.00e-03  " in capsys.readouterr().err
    assert job.run.history.read_text().splitlines()[1].split(",")[1] == "0.001"
