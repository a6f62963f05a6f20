"""What changes while a fold is trained: made anew, saved whole, resumed where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_jobs import make_job

from comp.models.device import Device
from comp.train.checkpoints.resume import open_state
from comp.train.checkpoints.saving import save_last
from comp.train.train_state import new_state, place_text


def test_a_state_starts_with_weights_of_its_seed_and_fold(tmp_path: Path) -> None:
    jobs = [make_job(tmp_path), make_job(tmp_path), make_job(tmp_path, fold=1)]
    heads = [new_state(job, 2, 8).net.module.get_parameter("fc.weight") for job in jobs]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_network_starts_at_the_class_shares_of_its_training_rows(
    tmp_path: Path, kind: str
) -> None:
    job = make_job(tmp_path, kind, model__init="auto")
    target = job.target[job.train_rows]
    bias = new_state(job, 2, 8).net.module.get_parameter("fc.bias").detach()
    found = job.task.link.probs(bias[None])[0].tolist()
    if kind == "multiclass":
        expected = (np.bincount(target) / len(target)).tolist()
    else:
        expected = np.atleast_1d(target.mean(axis=0)).tolist()
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_balanced_sampler_moves_the_start_to_the_shares_that_it_shows(tmp_path: Path) -> None:
    job = make_job(tmp_path, "binary", train__sampler="balanced", model__init="auto")
    rows = np.concatenate([np.flatnonzero(job.target == 0)[:9], np.flatnonzero(job.target)[:3]])
    job = replace(job, train_rows=np.sort(rows))
    bias = new_state(job, 2, 8).net.module.get_parameter("fc.bias").detach()
    assert job.task.link.probs(bias).item() == pytest.approx(0.5, abs=0.03)


def test_what_was_saved_comes_back_and_counts_from_1_for_its_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path, train__ema=0.9)
    tmp_path.mkdir(exist_ok=True)
    state = new_state(job, 2, 8)
    state.epoch, state.step, state.updates, state.skipped = 1, 1, 3, 2
    state.loss_sum += torch.tensor([1.5, 2.0])
    save_last(job, state)
    again = open_state(job, 2, 8)
    assert (again.epoch, again.step, again.updates, again.skipped) == (1, 1, 3, 2)
    assert again.loss_sum.tolist() == [1.5, 2.0]
    for name, value in state.net.module.state_dict().items():
        assert torch.equal(again.net.module.state_dict()[name], value)
    assert "fold 0: resumed epoch 2 step 1, lr " in capsys.readouterr().err
    assert place_text(0, 0) == "epoch 1 step 0"
    assert job.stop.longest_save > 0


def test_fewer_images_at_once_stay_fewer_after_a_resume(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    save_last(job, new_state(job, 2, 4))
    assert open_state(job, 2, 8).micro_batch == 4


def test_channel_statistics_come_from_the_training_rows_where_the_config_says_auto(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path, image__mean="auto", image__std=[0.5, 0.25, 0.125])
    job.images[job.valid_rows] = 255
    net = new_state(job, 2, 8).net
    expected = job.images[job.train_rows].reshape(-1, 3).mean(axis=0) / 255
    np.testing.assert_allclose(net.mean, expected, atol=1e-6)
    assert net.std == (0.5, 0.25, 0.125)


@pytest.mark.parametrize("before", [False, True], ids=["from fp32", "from fp16"])
@pytest.mark.parametrize("after", [False, True], ids=["to fp32", "to fp16"])
def test_a_resume_may_change_the_precision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: bool, after: bool
) -> None:
    """The scaler of fp16 begins anew where the checkpoint has none."""
    devices = [
        Device(torch.device("cpu"), "fp16" if scaled else "fp32", None, scaled=scaled)
        for scaled in (before, after)
    ]
    tmp_path.mkdir(exist_ok=True)
    job = make_job(tmp_path, device=devices[0])
    save_last(job, new_state(job, 2, 8))
    state = open_state(make_job(tmp_path, device=devices[1]), 2, 8)
    assert state.scaler.is_enabled() is after
    said = f"precision was {devices[0].precision} and is {devices[1].precision}"
    assert (said in capsys.readouterr().err) is (before != after)


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
@pytest.mark.parametrize("saved", [True, False, None])
@pytest.mark.parametrize("here", [True, False])
def test_the_kernels_of_an_optimizer_are_those_of_the_device_here(
    tmp_path: Path, opt: str, saved: bool | None, here: bool
) -> None:
    job = make_job(tmp_path, train__opt=opt)
    state = new_state(job, 2, 8)
    for value in state.net.module.parameters():
        value.grad = torch.ones_like(value)
    state.optimizer.step()
    kept = state.saved()
    for group in kept["optimizer"]["param_groups"]:
        group["fused"] = saved
    again = new_state(job, 2, 8)
    for group in again.optimizer.param_groups:
        group["fused"] = here
    again.restore(kept, same_epochs=True)
    assert all(group["fused"] is here for group in again.optimizer.param_groups)
    for value in again.net.module.parameters():
        value.grad = torch.ones_like(value)
        assert again.optimizer.state[value]
    again.optimizer.step()


def test_sgd_goes_on_where_some_parameters_begin_later(tmp_path: Path) -> None:
    """Fused SGD by itself fails there."""
    job = make_job(tmp_path, train__opt="sgd", train__freeze_epochs=1)
    state = new_state(job, 2, 8)
    values = [*state.net.module.parameters()]
    for some in (values[:2], values):
        for value in some:
            value.grad = torch.ones_like(value)
        state.optimizer.step()
    first = state.optimizer.state[values[0]]["momentum_buffer"]
    later = state.optimizer.state[values[-1]]["momentum_buffer"]
    assert float(first.mean()) > float(later.mean()) > 0.9
