"""Whatever happens to a fold, in any setting: the end is the same, or it is refused."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from cards import Card
from train_jobs import Killed, kill_at, make_job, weights
from train_options import OPTIONS, THRICE

from comp.core.errors import CompError, OutOfTime, RunError, TrainError
from comp.data.loader import batches
from comp.models.networks import Net
from comp.train import loop, train_state
from comp.train.checkpoints import checkpoint
from comp.train.job import Job
from comp.train.loop import train_fold
from comp.train.stop import Stop
from comp.train.validate import Validation

pytestmark = pytest.mark.slow

EVERY_STEP: dict[str, Any] = {"train__checkpoint_minutes": 1e-9}
RICH: dict[str, Any] = {"train__ema": 0.9, "train__micro_batch": 3, "train__clip_grad": 1.0}


def killed(monkeypatch: pytest.MonkeyPatch, job: Job, call: int) -> None:
    """Run a job until its update number `call` of this start."""
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, call)
        train_fold(job)


def assert_same_end(one: Job, other: Job) -> None:
    for name in ("last", "best"):
        assert weights(one.run, name) == weights(other.run, name), name
    assert one.run.history.read_bytes() == other.run.history.read_bytes()


SEVERAL = [name for name in OPTIONS if name.startswith(THRICE)]


@pytest.mark.parametrize("name", SEVERAL)
def test_killed_three_times_inside_epochs_a_run_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """F4, F7, F8: each schedule and each sampler, with dropout, averages and accumulation."""
    over = {**RICH, **OPTIONS[name], **EVERY_STEP, "train__batch_size": 4}  # 3 steps an epoch
    whole, broken = make_job(tmp_path / "whole", **over), make_job(tmp_path / "broken", **over)
    train_fold(whole)
    for call in (4, 1, 2):
        killed(monkeypatch, broken, call)
    train_fold(broken)
    assert_same_end(broken, whole)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_killed_run_ends_the_same_with_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    over = {**RICH, **EVERY_STEP, "train__batch_size": 4}
    whole = make_job(tmp_path / "whole", **over)
    train_fold(whole)
    broken = make_job(tmp_path / "broken", workers=workers, **over)
    killed(monkeypatch, broken, 4)
    killed(monkeypatch, broken, 1)
    train_fold(broken)
    assert_same_end(broken, whole)


def test_on_cuda_a_deterministic_run_that_was_killed_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: Card
) -> None:
    over = {**RICH, **EVERY_STEP, "train__deterministic": True}
    device = card.device("auto" if card.real else "fp32", deterministic=True)
    workers = 2 if card.real else 0
    jobs = [make_job(tmp_path / name, device=device, workers=workers, **over) for name in "ab"]
    train_fold(jobs[0])
    killed(monkeypatch, jobs[1], 3)
    killed(monkeypatch, jobs[1], 1)
    train_fold(jobs[1])
    assert_same_end(*jobs)


@pytest.mark.parametrize("after", [False, True], ids=["before validation", "after validation"])
def test_killed_at_the_end_of_an_epoch_it_is_neither_repeated_nor_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """F5."""
    whole, broken = (make_job(tmp_path / name, **EVERY_STEP) for name in ("whole", "broken"))
    train_fold(whole)
    real = loop.validate

    def validate(*given: Any) -> Any:
        if after:
            real(*given)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "validate", validate)
        train_fold(broken)
    state = checkpoint.load(broken.run.last)
    assert (state["epoch"], state["step"]) == (0, 2)
    updates, validations = count(monkeypatch, "update"), count(monkeypatch, "validate")
    train_fold(broken)
    assert (len(updates), len(validations)) == (4, 3)
    assert_same_end(broken, whole)


def count(monkeypatch: pytest.MonkeyPatch, name: str) -> list[None]:
    """A list that grows by one at each call of a function of the loop."""
    calls: list[None] = []
    real = getattr(loop, name)

    def counting(*given: Any) -> Any:
        calls.append(None)
        return real(*given)

    monkeypatch.setattr(loop, name, counting)
    return calls


def test_a_torn_checkpoint_costs_one_interval_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """F9."""
    whole, broken = (make_job(tmp_path / name) for name in ("whole", "broken"))
    train_fold(whole)
    killed(monkeypatch, broken, 5)
    content = bytearray(broken.run.last.read_bytes())
    content[len(content) // 2] ^= 1
    broken.run.last.write_bytes(content)
    capsys.readouterr()
    train_fold(broken)
    said = capsys.readouterr().err
    assert "last.pt: damaged: its content does not match its checksum" in said
    assert "resuming from the one before it, epoch 2 step 0; lost: up to epoch 3 step 0" in said
    assert_same_end(broken, whole)


def test_when_every_checkpoint_is_torn_the_fold_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10."""
    job = make_job(tmp_path, **EVERY_STEP)
    killed(monkeypatch, job, 3)
    for path in (job.run.last, job.run.before_last):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        RunError, match=r"(?s)no whole checkpoint.*last\.pt.*last\.1\.pt.*--restart"
    ):
        train_fold(job)
    assert job.run.last.exists(), "nothing is thrown away"
    job.run.clear()
    train_fold(job)


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"train__sched_by": "epoch"},
        {"train__sched": "onecycle", "train__sched_by": "epoch"},
        # no epoch is better than the first: the second is one without a better score, the third two
        {"train__sched": "plateau", "train__decay_epochs": 2, "train__lr": 1e-7},
    ],
)
def test_more_epochs_go_on_with_their_own_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], over: dict[str, Any]
) -> None:
    """F38."""
    train_fold(make_job(tmp_path, **{"train__epochs": 2, **over}))
    train_fold(make_job(tmp_path, **{"train__epochs": 4, **over}))
    assert "2 -> 4 epochs; the schedule is that of 4" in capsys.readouterr().err
    rates = [row["lr"] for row in checkpoint.load(make_job(tmp_path).run.last)["history"]]
    straight = make_job(tmp_path / "straight", **{"train__epochs": 4, **over})
    train_fold(straight)
    whole = [row["lr"] for row in checkpoint.load(straight.run.last)["history"]]
    assert rates[2:] == whole[2:]
    assert whole[3] < whole[2]


@pytest.mark.parametrize("scores", [[float("nan"), 0.5, 0.4], [0.5, float("nan"), 0.4]])
def test_a_score_that_is_no_number_is_never_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores: list[float]
) -> None:
    """F16."""
    left = iter(scores)
    monkeypatch.setattr(loop, "validate", lambda *_: Validation(1.0, next(left)))
    manifest = train_fold(make_job(tmp_path))
    assert manifest["best"]["macro_f1"] == 0.5
    flags = [row["best"] for row in checkpoint.load(make_job(tmp_path).run.last)["history"]]
    assert flags == [int(score == 0.5) for score in scores]


def test_when_no_score_is_a_number_the_last_epoch_is_kept_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop, "validate", lambda *_: Validation(1.0, float("nan")))
    job = make_job(tmp_path)
    assert train_fold(job)["best"] == {}
    assert "macro_f1 was NaN in every epoch; the last one is kept" in capsys.readouterr().err
    last, best = checkpoint.load(job.run.last), checkpoint.load(job.run.best)
    assert all(torch.equal(best["model"][name], value) for name, value in last["model"].items())


def test_ties_go_to_the_lower_loss_then_to_the_later_epoch_and_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """F14: equal best scores at epochs 3, 9 and 10, of which 10 has the lowest loss."""
    rows = [(1.0, 0.1)] * 11
    rows[3], rows[9], rows[10] = (0.5, 0.9), (0.5, 0.9), (0.4, 0.9)
    left = iter(rows)
    monkeypatch.setattr(loop, "validate", lambda *_: Validation(*next(left)))
    manifest = train_fold(make_job(tmp_path, train__epochs=11))
    assert (manifest["best"]["epoch"], manifest["ties"]) == (10, [3, 9])
    assert "reached in other epochs too: 4, 10" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["first step", "last batch", "validation"])
def test_out_of_memory_anywhere_goes_on_with_half(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
) -> None:
    """F34."""
    real, calls = Net.logits, {True: 0, False: 0}
    at = {"first step": (True, 1), "last batch": (True, 6), "validation": (False, 1)}[where]

    def logits(self: Net, images: torch.Tensor) -> torch.Tensor:
        training = self.module.training
        calls[training] += 1
        if (training, calls[training]) == at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(Net, "logits", logits)
    job = make_job(tmp_path)
    train_fold(job)
    said = capsys.readouterr().err
    state = checkpoint.load(job.run.last)
    if where == "validation":  # which halves by itself: no update is made again
        assert "fold 0: validation: out of device memory; continuing with 7 images" in said
        assert (state["epoch"], state["updates"], state["micro"]) == (3, 6, 8)
        return
    assert "continuing with 4 images at a time, still 8 per update (batch norm sees 4)" in said
    assert (state["epoch"], state["updates"], state["micro"]) == (3, 6, 4)


def test_a_killed_worker_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """F35."""
    whole, hurt = make_job(tmp_path / "whole"), make_job(tmp_path / "hurt", workers=2)
    train_fold(whole)
    mother, real = os.getpid(), batches.Batches.__getitem__

    def deadly(self: Any, keys: Any) -> Any:
        if os.getpid() != mother and keys[0][0] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, keys)

    monkeypatch.setattr(batches.Batches, "__getitem__", deadly)
    train_fold(hurt)
    said = capsys.readouterr().err
    assert "a process that prepares images died" in said
    assert "continuing with 1 workers" in said
    assert "continuing with 0 workers" in said
    assert_same_end(hurt, whole)


def test_two_validations_are_equal_to_the_bit(tmp_path: Path) -> None:
    """F32: no transform with chance in it can come between."""
    job = make_job(tmp_path, augment__recipe="heavy")
    taught = train_state.new_state(job, 2, 8)
    one, other = (loop.validate(job, taught, taught.net, lambda: None) for _ in range(2))
    assert one == other


def test_the_hours_end_on_a_checkpoint_in_time(tmp_path: Path) -> None:
    whole, timed = make_job(tmp_path / "whole"), make_job(tmp_path / "timed")
    train_fold(whole)
    hurried = make_job(tmp_path / "timed", stop=Stop(1e-9))
    with pytest.raises(
        OutOfTime, match=r"the 1e-09 hours are over: stopped fold 0 at epoch 1 step 1"
    ):
        train_fold(hurried)
    train_fold(timed)
    assert_same_end(timed, whole)


def test_the_hours_are_planned_over_all_the_folds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = Stop(1000.0)
    stop.later_epochs = 40
    train_fold(make_job(tmp_path, stop=stop))
    assert "enough for the 42 epochs that these folds still need" in capsys.readouterr().err


def test_a_disk_without_room_is_found_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F12."""
    calls = count(monkeypatch, "update")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CompError, match=r"need about \d+\.\d MB, 0\.0 MB are free\. Make room"):
        train_fold(make_job(tmp_path))
    assert not calls


def test_a_loss_that_stays_bad_is_an_error_with_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F15: also after a resume, which remembers how many were skipped."""
    real = Net.logits

    def bad(self: Net, images: torch.Tensor) -> torch.Tensor:
        out = real(self, images)
        return out * float("inf") if self.module.training else out

    job = make_job(tmp_path, **EVERY_STEP)
    killed(monkeypatch, job, 2)
    monkeypatch.setattr(Net, "logits", bad)
    killed(monkeypatch, job, 3)
    with pytest.raises(TrainError, match=r"for the 6th time"):
        train_fold(make_job(tmp_path, **EVERY_STEP, train__epochs=9))
