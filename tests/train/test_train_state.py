"""What changes while a fold is trained: made anew, kept whole, taken up where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_jobs import make_job

from comp.core.errors import RunError
from comp.train.train_state import (
    check_best,
    judged_state,
    make_learner,
    new_learner,
    save_best,
    save_last,
    tell_place,
)


def test_a_learner_starts_with_weights_of_its_seed_and_fold(tmp_path: Path) -> None:
    jobs = [make_job(tmp_path), make_job(tmp_path), make_job(tmp_path, fold=1)]
    heads = [new_learner(job, 2, 8).net.module.get_parameter("fc.weight") for job in jobs]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_what_was_saved_comes_back_and_counts_from_1_for_its_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path, train__ema=0.9)
    tmp_path.mkdir(exist_ok=True)
    learner = new_learner(job, 2, 8)
    learner.epoch, learner.step, learner.updates, learner.skipped = 1, 1, 3, 2
    learner.loss_sum += torch.tensor([1.5, 2.0])
    save_last(job, learner)
    again = make_learner(job, 2, 8)
    assert (again.epoch, again.step, again.updates, again.skipped) == (1, 1, 3, 2)
    assert again.loss_sum.tolist() == [1.5, 2.0]
    for name, value in learner.net.module.state_dict().items():
        assert torch.equal(again.net.module.state_dict()[name], value)
    assert "fold 0: resumed epoch 2 step 1, lr " in capsys.readouterr().err
    assert tell_place(0, 0) == "epoch 1 step 0"
    assert job.stop.longest_save > 0


def test_fewer_images_at_once_stay_fewer_after_a_resume(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    save_last(job, new_learner(job, 2, 4))
    assert make_learner(job, 2, 8).micro == 4


def test_channel_statistics_come_from_the_training_rows_where_the_config_says_auto(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path, image__mean="auto", image__std=[0.5, 0.25, 0.125])
    job.images[job.valid_rows] = 255
    net = new_learner(job, 2, 8).net
    expected = job.images[job.train_rows].reshape(-1, 3).mean(axis=0) / 255
    np.testing.assert_allclose(net.mean, expected, atol=1e-6)
    assert net.std == (0.5, 0.25, 0.125)


def test_predictions_are_made_from_the_averaged_weights_where_there_are_any(tmp_path: Path) -> None:
    learner = new_learner(make_job(tmp_path, train__ema=0.9), 2, 8)
    assert learner.ema is not None
    with torch.no_grad():
        learner.ema.module.get_parameter("fc.bias").fill_(7.0)
    state = judged_state(make_job(tmp_path), learner)
    assert state["model"]["fc.bias"].tolist() == [7.0] * 3
    assert (state["plan"], state["fold"], state["classes"]) == ("plan" * 16, 0, ["x", "y", "z"])


def test_the_best_of_another_fold_or_epoch_is_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    learner = new_learner(job, 2, 8)
    learner.best = {"epoch": 1, "macro_f1": 0.5}
    save_best(job, learner)
    check_best(job, learner)
    with pytest.raises(RunError, match=r"best\.pt: of another fold, plan or epoch"):
        check_best(replace(job, fold=1), learner)
    learner.best = {"epoch": 2, "macro_f1": 0.6}
    with pytest.raises(RunError, match=r"best\.pt: of another fold, plan or epoch"):
        check_best(job, learner)
