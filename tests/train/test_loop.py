"""The loop on packed noise: resume, ties, memory, bad numbers."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_jobs import Killed, kill_at, make_job, weights

from comp.config.workspace import RunDir
from comp.core.errors import Interrupted, TrainError, WorkerError
from comp.data.loader.batched.resident import Resident
from comp.models.networks import Net, build_net
from comp.tasks.kinds import TASKS
from comp.train import loop
from comp.train.checkpoints import checkpoint
from comp.train.job import Job
from comp.train.loop import train_fold
from comp.train.stop import Stop


@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_learns_and_leaves_a_whole_run(tmp_path: Path, kind: str) -> None:
    job = make_job(tmp_path, kind, train__epochs=6)
    manifest = train_fold(job)
    state = checkpoint.load(job.run.last)
    losses = [row["train_loss"] for row in state["history"]]
    assert losses[-1] < losses[0]
    assert len(losses) == state["epoch"] == manifest["epochs"] == 6
    assert (state["plan"], state["fold"], state["classes"]) == (job.plan, 0, list(job.classes))
    history = job.run.history.read_text().splitlines()
    name, columns = job.metric.name, job.task.column_names(job.classes)
    each = "".join(f"{name}[{column}]," for column in columns) if job.task.spatial else ""
    assert history[0] == f"epoch,lr,train_loss,valid_loss,{name},{each}best"
    assert len(history) == 7
    top = max if job.metric.greater_is_better else min
    best = top(row[name] for row in state["history"])
    assert manifest["best"][name] == state["best"][name] == best


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"train__ema": 0.9, "train__warmup_epochs": 1, "train__micro_batch": 3},
        {"train__sched": "step", "train__decay_epochs": 1, "train__opt": "sgd"},
        {"augment__backend": "device", "augment__recipe": "heavy", "train__ema": 0.9},
        {"train__micro_batch": "auto"},
    ],
)
def test_a_run_that_was_killed_and_resumed_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: dict[str, Any]
) -> None:
    whole = make_job(tmp_path / "whole", **over)
    train_fold(whole)
    broken = make_job(tmp_path / "broken", **over)
    for call in (3, 2):  # in the second epoch, then again in the same one
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, call)
            train_fold(broken)
    assert not broken.run.done.exists()
    train_fold(broken)
    assert weights(broken.run) == weights(whole.run)
    assert weights(broken.run, "best") == weights(whole.run, "best")
    assert broken.run.history.read_bytes() == whole.run.history.read_bytes()


@pytest.mark.parametrize("backend", ["cpu", "device"])
def test_the_number_of_workers_cannot_change_a_result(tmp_path: Path, backend: str) -> None:
    over = {"augment__backend": backend, "augment__recipe": "medium"}
    alone = make_job(tmp_path / "0", **over)
    helped = make_job(tmp_path / "2", workers=2, **over)
    train_fold(alone)
    train_fold(helped)
    assert weights(helped.run) == weights(alone.run)


def test_another_fold_or_seed_draws_otherwise(tmp_path: Path) -> None:
    jobs = [
        make_job(tmp_path / "a"),
        make_job(tmp_path / "b", fold=1),
        make_job(tmp_path / "c", seed=7),
    ]
    for job in jobs:
        train_fold(job)
    assert len({weights(job.run) for job in jobs}) == 3


def test_out_of_memory_halves_the_micro_batch_and_keeps_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Net.logits
    seen: list[int] = []

    def small(self: Net, images: torch.Tensor) -> torch.Tensor:
        if self.module.training:
            if len(images) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory")
            seen.append(len(images))
        return real(self, images)

    monkeypatch.setattr(Net, "logits", small)
    job = make_job(tmp_path / "low")
    train_fold(job)
    said = capsys.readouterr().err
    assert "continuing with 4 images at a time, still 8 per update" in said
    assert seen == [2] + [4, 4, 3, 2] * 3  # the trial, with the smallest part, comes first
    monkeypatch.setattr(Net, "logits", real)
    direct = make_job(tmp_path / "direct", train__micro_batch=4)
    train_fold(direct)
    ours, theirs = checkpoint.load(job.run.last), checkpoint.load(direct.run.last)
    assert ours["updates"] == theirs["updates"] == 6
    for name, value in theirs["model"].items():
        assert torch.equal(ours["model"][name], value), name


def test_memory_that_is_never_enough_ends_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Net, images: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Net, "logits", never)
    with pytest.raises(TrainError, match=r"out of device memory with one image at a time"):
        train_fold(make_job(tmp_path))


def test_the_micro_batch_is_halved_as_often_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Net.logits

    def small(self: Net, images: torch.Tensor) -> torch.Tensor:
        if self.module.training and len(images) > 3:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", small)
    job = make_job(tmp_path, train__batch_size=64, train__epochs=1)
    train_fold(job)
    assert checkpoint.load(job.run.last)["micro"] == 2  # after 64, 32, 16, 8, 4


def test_memory_for_one_image_only_is_not_enough_for_batch_norm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_fold(make_job(tmp_path, train__epochs=1))  # a fold that is resumed is not tried
    real = Net.logits

    def small(self: Net, images: torch.Tensor) -> torch.Tensor:
        if self.module.training and len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", small)
    with pytest.raises(TrainError, match="needs more than one image at a time, and the memory"):
        train_fold(make_job(tmp_path, train__epochs=2))


def test_out_of_memory_after_a_resume_goes_on_from_the_micro_batch_of_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path, train__micro_batch=4, train__epochs=1)
    train_fold(job)
    real = Net.logits

    def smaller(self: Net, images: torch.Tensor) -> torch.Tensor:
        if self.module.training and len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", smaller)
    job = make_job(tmp_path, train__epochs=2, train__micro_batch=4)
    capsys.readouterr()
    train_fold(job)
    told = [line for line in capsys.readouterr().err.splitlines() if "out of device memory" in line]
    assert len(told) == 1
    assert "continuing with 2 images at a time" in told[0]


def test_a_worker_whose_death_is_told_in_the_middle_of_a_step_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch's handler of SIGCHLD raises wherever the main thread is."""
    real, calls = loop.update, iter(range(10**6))

    def update(*given: Any) -> None:
        if next(calls) == 3:
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
        real(*given)

    job = make_job(tmp_path / "a", workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "update", update)
        train_fold(job)
    assert "a process that prepares images died" in capsys.readouterr().err
    whole = make_job(tmp_path / "b")
    train_fold(whole)
    assert weights(job.run) == weights(whole.run)


def test_a_worker_that_dies_between_two_steps_loses_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict on the last step is read first: a checkpoint holds no step that is open."""
    real, left = loop.on_device, [2]

    def dying(*given: Any) -> Any:
        for number, batch in enumerate(real(*given)):
            if left and number == left[0]:
                left.pop()
                raise WorkerError("a process that prepares images died")
            yield batch

    job = make_job(tmp_path / "a", workers=1, train__batch_size=4)
    whole = make_job(tmp_path / "b", train__batch_size=4)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "on_device", dying)
        train_fold(job)
    said = capsys.readouterr().err
    assert "a process that prepares images died; continuing with 0 workers" in said
    assert "resumed epoch 1 step 2" in said
    train_fold(whole)
    assert weights(job.run) == weights(whole.run)


def test_a_run_with_bad_steps_that_is_killed_after_one_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict on a step is read when the next is begun, or before a checkpoint is written."""
    real = Net.logits
    place: list[Any] = []

    def logits(self: Net, images: torch.Tensor) -> torch.Tensor:
        out = real(self, images)
        bad = self.module.training and (place[0].epoch, place[0].step) in {(0, 1), (1, 0)}
        return out * float("nan") if bad else out

    made = []
    for stops in ((), (1, 3)):
        opened = loop.open_state
        job = make_job(tmp_path / str(len(made)), train__ema=0.9, train__batch_size=4)

        def remember(*given: Any, opened: Any = opened) -> Any:
            place[:] = [opened(*given)]
            return place[0]

        with monkeypatch.context() as patch:
            patch.setattr(loop, "open_state", remember)
            patch.setattr(Net, "logits", logits)
            patch.setattr(loop, "try_out", lambda *_: None)
            for stop in stops:
                with patch.context() as inner, pytest.raises(Interrupted):
                    stop_after(inner, job, stop)
                    train_fold(job)
                job = replace(job, stop=Stop())
            train_fold(job)
        assert checkpoint.load(job.run.last)["skipped"] == 2
        made.append(weights(job.run))
    assert len(set(made)) == 1


def stop_after(patch: pytest.MonkeyPatch, job: Job, steps: int) -> None:
    """Ask the loop to leave after so many steps."""
    real, calls = loop.update, iter(range(1, 10**6))

    def update(*given: Any) -> None:
        real(*given)
        if next(calls) == steps:
            job.stop.signal = signal.SIGTERM

    patch.setattr(loop, "update", update)


def spoil(monkeypatch: pytest.MonkeyPatch, bad: set[int]) -> None:
    """Make the loss of the training steps numbered `bad` NaN."""
    real, calls = Net.logits, iter(range(-1, 10**6))  # the trial before the first step is -1

    def logits(self: Net, images: torch.Tensor) -> torch.Tensor:
        out = real(self, images)
        return out * float("nan") if self.module.training and next(calls) in bad else out

    monkeypatch.setattr(Net, "logits", logits)


def test_a_bad_step_is_skipped_and_counted_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, {1, 4})
    job = make_job(tmp_path, train__ema=0.9)
    manifest = train_fold(job)
    assert "the loss is nan in epoch 1 step 2; skipped (1 of 5 allowed)" in capsys.readouterr().err
    state = checkpoint.load(job.run.last)
    assert (manifest["skipped"], state["skipped"], state["updates"]) == (2, 2, 4)
    for part in ("model", "ema"):
        assert all(torch.isfinite(value).all() for value in state[part].values())
    assert all(np.isfinite(row["train_loss"]) for row in state["history"])


def test_a_fold_that_never_learns_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, set(range(9)))
    with pytest.raises(TrainError, match="no update of the first epoch was finite"):
        train_fold(make_job(tmp_path, train__epochs=1))
    assert not RunDir(tmp_path).done.exists()


def test_statistics_that_are_not_finite_are_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = loop._end_epoch

    def end(job: Job, state: Any, *rest: Any) -> None:
        if state.epoch == 1:
            next(b for n, b in state.net.module.named_buffers() if "running_var" in n)[0] = np.inf
        original(job, state, *rest)

    monkeypatch.setattr(loop, "_end_epoch", end)
    job = make_job(tmp_path)
    with pytest.raises(TrainError, match=r"not finite after epoch 2: '.*running_var'"):
        train_fold(job)
    state = checkpoint.load(job.run.last)
    assert state["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in state["model"].values())


def test_a_loss_that_stays_bad_stops_the_run_and_keeps_the_last_finite_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, set(range(2, 100)))
    job = make_job(tmp_path, train__epochs=9)
    with pytest.raises(TrainError, match=r"the loss is nan in epoch 4 step 2, for the 6th time"):
        train_fold(job)
    state = checkpoint.load(job.run.last)
    assert all(torch.isfinite(value).all() for value in state["model"].values())
    best = checkpoint.load(job.run.best)
    assert all(torch.isfinite(value).all() for value in best["model"].values())


def test_going_on_needs_no_pretrained_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_fold(make_job(tmp_path, train__epochs=1))

    def unreachable(*given: Any, empty: bool = False, **more: Any) -> Net:
        if not empty:
            raise AssertionError("the weights were asked for again")
        return build_net(*given, empty=empty, **more)

    monkeypatch.setattr("comp.train.train_state.build_net", unreachable)
    train_fold(make_job(tmp_path, train__epochs=2))
    with pytest.raises(AssertionError, match="asked for again"):
        train_fold(make_job(tmp_path / "other"))


def test_the_average_is_what_is_kept_as_best(tmp_path: Path) -> None:
    job = make_job(tmp_path, train__ema=0.9, train__epochs=1)
    train_fold(job)
    last, best = checkpoint.load(job.run.last), checkpoint.load(job.run.best)
    for name, value in best["model"].items():
        assert torch.equal(value, last["ema"][name])
    assert any(not torch.equal(last["model"][name], v) for name, v in best["model"].items())


@pytest.mark.parametrize("kind", ["multiclass", "segmentation"])
def test_images_that_stay_on_the_device_change_nothing(tmp_path: Path, kind: str) -> None:
    over = {"augment__backend": "device", "augment__recipe": "medium", "train__epochs": 2}
    plain = make_job(tmp_path / "a", kind, **over)
    there = make_job(tmp_path / "b", kind, **over)
    there = replace(there, resident=Resident(there.images, torch.device("cpu")))
    for job in (plain, there):
        train_fold(job)
    assert weights(there.run) == weights(plain.run)
    assert there.run.history.read_bytes() == plain.run.history.read_bytes()


def test_another_backend_is_told_at_the_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_fold(make_job(tmp_path, train__epochs=1))
    capsys.readouterr()
    train_fold(make_job(tmp_path, train__epochs=2, augment__backend="device"))
    assert "fold 0: images were augmented by the cpu, now by the device" in capsys.readouterr().err


def test_out_of_memory_the_images_that_stay_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path, augment__backend="device", train__epochs=1)
    there = Resident(job.images, torch.device("cpu"))
    real = Net.logits

    def small(self: Net, images: torch.Tensor) -> torch.Tensor:
        if not there.released:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", small)
    train_fold(replace(job, resident=there))
    said = capsys.readouterr().err
    assert "continuing without the images that stayed there" in said
    assert checkpoint.load(job.run.last)["micro"] == 8
