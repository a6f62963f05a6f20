"""One fold: a straight loop over epochs that goes on wherever the last checkpoint stands.

Where it stands is (epoch, step): all updates before that step of that epoch are made. A step equal
to the length of an epoch means that only the validation is missing.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from comp.core import checksums, files
from comp.core.errors import TrainError, WorkerError, first
from comp.core.progress import say, track
from comp.core.provenance import versions
from comp.core.rng import seed_torch
from comp.data.loader.loader import Loader
from comp.models.freezing import learn
from comp.tasks.metrics import Metric
from comp.train import checkpoint
from comp.train.average import keep_top, mean_weights, measure_norms, top_epochs
from comp.train.batches import make_loader
from comp.train.logging import foresee, history_csv, report
from comp.train.mixing import mix
from comp.train.sessions import note_session
from comp.train.tracking import Tracker, open_tracker
from comp.train.train_state import (
    Job,
    Learner,
    check_best,
    judged_state,
    make_learner,
    save_best,
    save_last,
    tell_place,
)
from comp.train.validate import validate

MAX_RETRIES = 5
MAX_SKIPPED = 5


def train_fold(job: Job) -> dict[str, Any]:
    """Train one fold to its end, from its last checkpoint if there is one; what `done.json` holds.

    Out of device memory, the micro-batch is halved and the fold goes on from its last checkpoint;
    gradients are accumulated, so the effective batch stays what the config says. When a worker
    dies, it goes on with half of them.
    Raises TrainError when the loss is not finite too often or no micro-batch fits, RunError when
    the folder holds another fold's or plan's checkpoint or none that is whole, Interrupted and
    OutOfTime after a checkpoint was written for them.
    """
    micro = job.config.train.micro_batch or job.config.train.batch_size
    workers = job.workers
    for _ in range(MAX_RETRIES):
        try:
            return _run(job, micro, workers)
        except torch.OutOfMemoryError:
            if micro == 1:
                break
            micro = math.ceil(micro / 2)
            _say_memory(job, micro)
        except WorkerError as problem:
            if workers == 0:
                raise
            workers //= 2
            say(f"fold {job.fold}: {problem}; going on with {workers} workers")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    raise TrainError(
        f"fold {job.fold}: given up after {MAX_RETRIES} tries; the last was with {micro} images at "
        f"a time and {workers} workers. Use a smaller image.size or model.name, or free the device."
    )


def _say_memory(job: Job, micro: int) -> None:
    say(
        f"fold {job.fold}: out of device memory; going on with {micro} images at a time, still "
        f"{job.config.train.batch_size} an update (batch norm sees {micro})"
    )


def _run(job: Job, micro: int, workers: int) -> dict[str, Any]:
    job.run.path.mkdir(parents=True, exist_ok=True)
    loader = make_loader(job, workers)
    learner = make_learner(job, len(loader), micro)
    if learner.history:  # a crash may have left it behind the checkpoint
        files.write_text(job.run.history, history_csv(learner.history))
    note_session(job.run, learner.epoch, learner.step, job.device.describe())
    with job.stop.at_a_step(), open_tracker(job.config, job.run, learner.history) as tracker:
        _train_on(job, learner, loader, tracker)
    return _finish(job, learner, _average(job, learner, loader))


def _train_on(job: Job, learner: Learner, loader: Loader, tracker: Tracker) -> None:
    """The epochs that are left."""
    while learner.epoch < job.config.train.epochs and not _given_up(job, learner):
        started, begun = time.monotonic(), learner.step
        _train_epoch(job, learner, loader)
        trained = time.monotonic() - started
        row = _validate(job, learner)
        improved = _is_best(row, learner.best, job.metric)
        if improved:
            learner.best = row
        learner.history.append({**row, "best": int(improved)})
        tracker.log(row, learner.epoch + 1)
        learner.epoch, learner.step = learner.epoch + 1, 0
        learner.schedule.step(learner.epoch, row[job.metric.name])
        learner.loss_sum.zero_()
        if improved:
            save_best(job, learner)
        _keep_top(job, learner)
        save_last(job, learner)
        files.write_text(job.run.history, history_csv(learner.history))
        seconds = time.monotonic() - started
        report(job, row, improved, seconds, whole=begun == 0, skipped=learner.skipped)
        foresee(job, learner, seconds if begun == 0 else trained)


def _top(job: Job, learner: Learner) -> list[int]:
    """The epochs of the best checkpoints, where they are kept."""
    count = job.config.train.top_k
    better = partial(_is_best, metric=job.metric)
    return top_epochs(learner.history, count, better) if count > 1 else []


def _keep_top(job: Job, learner: Learner) -> None:
    if job.config.train.top_k > 1:
        state = partial(judged_state, job, learner)
        keep_top(job.run, _top(job, learner), learner.epoch - 1, state)


def _average(job: Job, learner: Learner, loader: Loader) -> dict[str, Any] | None:
    """Write the mean of the best checkpoints; for the manifest, its epochs and its score."""
    epochs = _top(job, learner)
    if not epochs:
        return None
    net = replace(learner.judged, module=copy.deepcopy(learner.judged.module))
    net.module.load_state_dict(mean_weights([job.run.top(epoch) for epoch in epochs]))
    seed_torch(job.config.seed, "average", job.fold)
    measure_norms(net, (images for images, _ in loader.epoch(job.config.train.epochs)))
    judged = validate(job, learner, net, partial(_leave_if_asked, job, learner))
    loss, score = judged.loss, judged.score
    state = {**judged_state(job, learner), "model": net.module.state_dict()}
    checkpoint.save(state, job.run.average)
    told = ", ".join(str(epoch + 1) for epoch in sorted(epochs))
    say(f"fold {job.fold}  mean of epochs {told}: valid {loss:.4f}  {job.metric.name} {score:.4f}")
    found = {"valid_loss": loss, job.metric.name: score}
    return {
        "epochs": sorted(epochs),
        **{name: value if math.isfinite(value) else None for name, value in found.items()},
    }


def _given_up(job: Job, learner: Learner) -> bool:
    """Whether `train.patience` epochs in a row brought no better score."""
    patience = job.config.train.patience
    if patience is None or learner.best is None:
        return False
    return learner.epoch - 1 - learner.best["epoch"] >= patience


def _train_epoch(job: Job, learner: Learner, loader: Loader) -> None:
    """The rest of the epoch; a checkpoint and out when it is time to stop."""
    learn(learner.net.module, head_only=learner.epoch < job.config.train.freeze_epochs)
    what = f"fold {job.fold} epoch {learner.epoch + 1}/{job.config.train.epochs}"
    batches = loader.epoch(learner.epoch, learner.step)
    try:
        for images, target in track(batches, len(loader) - learner.step, what):
            seed_torch(job.config.seed, "step", job.fold, learner.epoch, learner.step)
            update(job, learner, images, target)
            learner.step += 1
            _pause(job, learner)
    except WorkerError:
        save_last(job, learner)
        raise


def _pause(job: Job, learner: Learner) -> None:
    """Between two steps: a checkpoint when one is due, and out when it is time to stop."""
    minutes = job.config.train.checkpoint_minutes
    due = minutes is not None and time.monotonic() - learner.saved_at >= 60 * minutes
    if job.stop.asked or due:
        save_last(job, learner)
    if job.stop.asked:
        job.stop.leave(f"fold {job.fold} at {tell_place(learner.epoch, learner.step)}")


def update(job: Job, learner: Learner, images: torch.Tensor, target: torch.Tensor) -> None:
    """One update from one batch, `micro` images at a time; left out when the loss, or the gradient,
    is not finite. (With scaled losses, gradients that overflow are the scaler's to leave out.)"""
    device, clip = job.device.torch_device, job.config.train.clip_grad
    total = torch.zeros((), device=device)
    batch = mix(
        learner.net.to_device(images),
        target.to(device, non_blocking=True),
        job.config.augment,
        job.task,
        job.task.columns(len(job.classes)),
        learner.net.mean,
        (job.config.seed, job.fold, learner.epoch, learner.step),
    )
    for part, truth in batch.parts(math.ceil(len(images) / learner.micro)):
        logits = learner.net.logits(part)
        loss = learner.loss(logits, job.task.link.loss_target(truth, logits))
        loss = loss * (len(part) / len(images))
        learner.scaler.scale(loss).backward()
        total += loss.detach()
    scaled = learner.scaler.is_enabled()
    norm = torch.zeros_like(total) if scaled else _norm(learner, clip)
    loss_now, norm_now = torch.stack([total, norm]).tolist()
    if not (math.isfinite(loss_now) and math.isfinite(norm_now)):
        _skip(job, learner, loss_now)
        return
    learner.loss_sum += torch.stack([total, torch.ones_like(total)])
    if scaled and clip is not None:
        learner.scaler.unscale_(learner.optimizer)
        _norm(learner, clip)
    learner.rate = learner.rate_now()
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    learner.optimizer.zero_grad(set_to_none=True)
    learner.updates += 1
    learner.schedule.step_update(learner.updates)
    if learner.ema:
        learner.ema.update(learner.net.module, step=learner.updates)


def _norm(learner: Learner, clip: float | None) -> torch.Tensor:
    """The norm of the gradient before it is clipped."""
    found = [p for p in learner.net.module.parameters() if p.grad is not None]
    if clip is not None:
        return torch.nn.utils.clip_grad_norm_(found, clip)
    return torch.nn.utils.get_total_norm([p.grad for p in found if p.grad is not None])


def _skip(job: Job, learner: Learner, loss: float) -> None:
    what = f"the loss is {loss}" if not math.isfinite(loss) else "the gradient is not finite"
    learner.optimizer.zero_grad(set_to_none=True)
    learner.skipped += 1
    place = tell_place(learner.epoch, learner.step + 1)
    where = f"fold {job.fold}: {what} in {place}"
    if learner.skipped > MAX_SKIPPED:
        raise TrainError(
            f"{where}, for the {learner.skipped}th time. Lower train.lr, set train.clip_grad, or "
            f"use train.precision=fp32. The last checkpoint before it is kept in {job.run.path}."
        )
    say(f"{where}; skipped ({learner.skipped} of {MAX_SKIPPED} allowed)")


def _validate(job: Job, learner: Learner) -> dict[str, float]:
    """The row of the history for the epoch that was just trained."""
    found = validate(job, learner, learner.judged, partial(_leave_if_asked, job, learner))
    total, steps = learner.loss_sum.tolist()
    every = job.config.train.show_every
    if job.show is not None and every is not None and (learner.epoch + 1) % every == 0:
        job.show(job, learner.judged, found, learner.epoch)
    return {
        "epoch": learner.epoch,
        "lr": learner.rate,
        "train_loss": total / steps if steps else math.nan,
        "valid_loss": found.loss,
        job.metric.name: found.score,
        **found.by_class(job),
    }


def _leave_if_asked(job: Job, learner: Learner) -> None:
    if job.stop.asked:
        save_last(job, learner)
        job.stop.leave(f"fold {job.fold} in the validation of epoch {learner.epoch + 1}")


def _is_best(row: dict[str, float], best: dict[str, float] | None, metric: Metric) -> bool:
    """Higher score first, then lower validation loss, then the later epoch; NaN is never best."""
    new = row[metric.name]
    if best is None or math.isnan(new):
        return not math.isnan(new)
    if new != best[metric.name]:
        return metric.better(new, best[metric.name])
    losses = [math.inf if math.isnan(r["valid_loss"]) else r["valid_loss"] for r in (row, best)]
    return losses[0] <= losses[1]


def _finish(job: Job, learner: Learner, average: dict[str, Any] | None) -> dict[str, Any]:
    """Write the manifest of the whole fold, and what it says."""
    if learner.best is None:
        say(f"fold {job.fold}: {job.metric.name} was NaN in every epoch; the last one is kept")
        save_best(job, learner)
    check_best(job, learner)
    ties = _ties(job, learner)
    if ties:
        others = first([epoch + 1 for epoch in ties], 10)
        say(f"fold {job.fold}: the best score was reached in other epochs too: {others}")
    manifest = {
        "fold": job.fold,
        "plan": job.plan,
        "epochs": learner.epoch,
        "early": learner.epoch < job.config.train.epochs,
        "metric": job.metric.name,
        "best": {
            name: value if math.isfinite(value) else None
            for name, value in (learner.best or {}).items()
        },
        "ties": ties,
        "average": average,
        "skipped": learner.skipped,
        "best_sha256": checksums.digest_file(job.run.best),
        "last_sha256": checksums.digest_file(job.run.last),
        "average_sha256": None if average is None else checksums.digest_file(job.run.average),
        "versions": versions(),
    }
    files.write_json(job.run.done, manifest)
    return manifest


def _ties(job: Job, learner: Learner) -> list[int]:
    """The other epochs with the best score."""
    best, name = learner.best, job.metric.name
    if best is None:
        return []
    rows = [row for row in learner.history if row[name] == best[name]]
    return [int(row["epoch"]) for row in rows if row["epoch"] != best["epoch"]]
