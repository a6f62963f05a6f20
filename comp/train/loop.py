"""One fold: a straight loop over epochs that goes on wherever the last checkpoint stands."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from timm.utils import ModelEmaV3

from comp import files
from comp.chance import seed_torch
from comp.config import Config, plain
from comp.data.augment import make_recipe
from comp.data.dataset import Loader, eval_batches, train_loader
from comp.device import Device
from comp.errors import RunError, TrainError
from comp.losses import LossFunction, make_loss
from comp.metrics import Metric
from comp.models import Net, build_empty_net, build_net
from comp.progress import say, track
from comp.runs import RunDir
from comp.tasks import Task
from comp.train import checkpoint
from comp.train.checkpoint import State
from comp.train.optim import make_optimizer, make_schedule

MAX_OUT_OF_MEMORY = 5


@dataclass(frozen=True)
class Job:
    """All that one fold is trained from.

    `images` (N, S, S, 3) uint8 and `target` (N, ...) of the whole index; `train_rows` and
    `valid_rows` number its rows; `plan` is the fingerprint of the fold plan.
    """

    config: Config
    task: Task
    metric: Metric
    fold: int
    images: np.ndarray[Any, Any]
    target: np.ndarray[Any, Any]
    classes: tuple[str, ...]
    train_rows: np.ndarray[Any, Any]
    valid_rows: np.ndarray[Any, Any]
    plan: str
    run: RunDir
    device: Device
    workers: int


@dataclass
class Learner:
    """What changes while a fold is trained."""

    net: Net
    ema: ModelEmaV3 | None
    optimizer: torch.optim.Optimizer
    schedule: Any
    scaler: torch.amp.GradScaler
    loss: LossFunction
    epoch: int = 0
    updates: int = 0
    best: dict[str, float] | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def judged(self) -> Net:
        """The network that is validated and kept: the averaged one where there is an average."""
        if self.ema is None:
            return self.net
        return Net(self.ema.module, self.net.device, self.net.mean, self.net.std)

    def state(self) -> State:
        """Everything that `restore` needs."""
        return {
            "model": self.net.module.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epoch": self.epoch,
            "updates": self.updates,
            "best": self.best,
            "history": self.history,
        }

    def restore(self, state: State) -> None:
        """Go on from `state`."""
        self.net.module.load_state_dict(state["model"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.updates = state["epoch"], state["updates"]
        self.best, self.history = state["best"], state["history"]


def train_fold(job: Job) -> dict[str, Any]:
    """Train one fold to its end, from its last checkpoint if there is one; what `done.json` holds.

    Out of device memory, the micro-batch is halved and the fold goes on from its last checkpoint;
    gradients are accumulated, so the effective batch stays what the config says.
    Raises TrainError when the loss is not finite or no micro-batch fits, RunError when the folder
    holds another fold's or plan's checkpoint.
    """
    micro = job.config.train.micro_batch or job.config.train.batch_size
    for _ in range(MAX_OUT_OF_MEMORY):
        try:
            return _run(job, micro)
        except torch.OutOfMemoryError:
            if micro == 1:
                break
            micro = math.ceil(micro / 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        say(
            f"fold {job.fold}: out of device memory; going on with {micro} images at a time, still "
            f"{job.config.train.batch_size} an update (batch norm sees {micro})"
        )
    raise TrainError(
        f"fold {job.fold}: out of device memory, with {micro} images at a time too. Use a smaller "
        "image.size or model.name, or free the device."
    )


def _run(job: Job, micro: int) -> dict[str, Any]:
    loader = _make_loader(job)
    learner = _make_learner(job, len(loader))
    job.run.path.mkdir(parents=True, exist_ok=True)
    for epoch in range(learner.epoch, job.config.train.epochs):
        started = time.monotonic()
        rate = learner.optimizer.param_groups[0]["lr"]
        train_loss = _train_epoch(job, learner, loader, epoch, micro)
        valid_loss, score = _validate(job, learner)
        learner.epoch = epoch + 1
        row = {
            "epoch": epoch,
            "lr": rate,
            "train_loss": train_loss,
            "valid_loss": valid_loss,
            job.metric.name: score,
        }
        improved = _is_best(row, learner.best, job.metric)
        if improved:
            learner.best = row
        learner.history.append({**row, "best": int(improved)})
        _save(job, learner, improved)
        _report(job, row, improved, time.monotonic() - started)
    return _finish(job, learner)


def _make_loader(job: Job) -> Loader:
    config = job.config
    return train_loader(
        job.images,
        job.train_rows,
        job.target,
        make_recipe(config.augment.recipe, config.image.size),
        seed=config.seed,
        fold=job.fold,
        batch_size=config.train.batch_size,
        workers=job.workers,
        sampler=config.train.sampler,
    )


def _make_learner(job: Job, steps: int) -> Learner:
    config, train = job.config, job.config.train
    state = checkpoint.load(job.run.last) if job.run.last.is_file() else None
    build = build_net if state is None else build_empty_net
    seed_torch(config.seed, "init", job.fold)
    outputs = job.task.columns(len(job.classes))
    net = build(config.model, outputs, config.image.size, job.device)
    optimizer = make_optimizer(net.module, train)
    name = job.task.loss if train.loss == "auto" else train.loss
    learner = Learner(
        net=net,
        ema=ModelEmaV3(net.module, decay=train.ema, use_warmup=True) if train.ema else None,
        optimizer=optimizer,
        schedule=make_schedule(optimizer, train, steps),
        scaler=torch.amp.GradScaler(job.device.torch_device.type, enabled=job.device.scaled),
        loss=make_loss(name, job.task.link.name, train.label_smoothing),
    )
    if state is not None:
        _refuse_foreign(job, state)
        learner.restore(state)
        say(
            f"fold {job.fold}: resumed at epoch {learner.epoch}/{train.epochs}{_best_text(learner)}"
        )
    return learner


def _refuse_foreign(job: Job, state: State) -> None:
    found = (state.get("plan"), state.get("fold"))
    if found != (job.plan, job.fold):
        raise RunError(
            f"{job.run.last}: made for fold {found[1]} of plan {str(found[0])[:8]}, this is fold "
            f"{job.fold} of plan {job.plan[:8]}. Remove {job.run.path} to train it again, or bring "
            "the old plan back."
        )


def _best_text(learner: Learner) -> str:
    if learner.best is None:
        return ""
    *_, name = learner.best
    return f", best {name} {learner.best[name]:.4f} in epoch {learner.best['epoch']}"


def _train_epoch(job: Job, learner: Learner, loader: Loader, epoch: int, micro: int) -> float:
    """One pass over the training rows; the mean loss of its steps."""
    learner.net.module.train()
    total = torch.zeros((), device=job.device.torch_device)
    what = f"fold {job.fold} epoch {epoch + 1}/{job.config.train.epochs}"
    batches = track(loader.epoch(epoch), len(loader), what)
    for step, (images, target) in enumerate(batches):
        seed_torch(job.config.seed, "step", job.fold, epoch, step)
        total += _update(job, learner, images, target, micro)
    mean = float(total) / len(loader)
    if not math.isfinite(mean):
        raise TrainError(
            f"fold {job.fold}: the loss is {mean} in epoch {epoch} (updates "
            f"{learner.updates - len(loader)} to {learner.updates}). Lower train.lr, set "
            "train.clip_grad, or use train.precision=fp32. The last finite checkpoint is kept."
        )
    return mean


def _update(
    job: Job, learner: Learner, images: torch.Tensor, target: torch.Tensor, micro: int
) -> torch.Tensor:
    """One update from one batch, `micro` images at a time; the batch's mean loss, on the device."""
    device, clip = job.device.torch_device, job.config.train.clip_grad
    total = torch.zeros((), device=device)
    parts = math.ceil(len(images) / micro)
    for few, answers in zip(images.tensor_split(parts), target.tensor_split(parts), strict=True):
        part = learner.net.to_device(few)
        truth = answers.to(device, non_blocking=True)
        logits = learner.net.logits(part)
        loss = learner.loss(logits, job.task.link.loss_target(truth, logits))
        loss = loss * (len(part) / len(images))
        learner.scaler.scale(loss).backward()
        total += loss.detach()
    if clip is not None:
        learner.scaler.unscale_(learner.optimizer)
        torch.nn.utils.clip_grad_norm_(learner.net.module.parameters(), clip)
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    learner.optimizer.zero_grad(set_to_none=True)
    learner.updates += 1
    learner.schedule.step_update(learner.updates)
    if learner.ema:
        learner.ema.update(learner.net.module, step=learner.updates)
    return total


@torch.inference_mode()
def _validate(job: Job, learner: Learner) -> tuple[float, float]:
    """Loss and score of the validation rows, without augmentation, with the neutral rule."""
    net = learner.judged
    net.module.eval()
    size = job.config.predict.batch_size or 2 * job.config.train.batch_size
    batches = eval_batches(job.images, job.valid_rows, size)
    logits = torch.cat([net.logits(net.to_device(batch)).float() for batch in batches])
    target = job.target[job.valid_rows]
    truth = job.task.link.loss_target(torch.from_numpy(target).to(logits.device), logits)
    loss = float(learner.loss(logits, truth))
    probs = job.task.link.probs(logits).cpu().numpy()
    answer = probs if job.metric.wants == "probs" else job.task.decide(probs)
    return loss, job.metric.score(target, answer, len(job.classes))


def _is_best(row: dict[str, float], best: dict[str, float] | None, metric: Metric) -> bool:
    """Higher score first, then lower validation loss, then the later epoch; never NaN."""
    if best is None:
        return True
    old, new = best[metric.name], row[metric.name]
    if math.isnan(new) or math.isnan(old):
        return not math.isnan(new) or (math.isnan(old) and row["valid_loss"] <= best["valid_loss"])
    if new != old:
        return metric.better(new, old)
    return row["valid_loss"] <= best["valid_loss"]


def _save(job: Job, learner: Learner, improved: bool) -> None:
    about = {
        "fold": job.fold,
        "plan": job.plan,
        "config": plain(job.config),
        "classes": list(job.classes),
        "mean": list(learner.net.mean),
        "std": list(learner.net.std),
        "versions": checkpoint.versions(),
    }
    if improved:
        weights = learner.judged.module.state_dict()
        checkpoint.save({"model": weights, "best": learner.best, **about}, job.run.best)
    checkpoint.save({**learner.state(), **about}, job.run.last)
    files.write_text(job.run.history, _history_csv(learner.history))


def _history_csv(history: list[dict[str, float]]) -> str:
    lines = [",".join(history[0])]
    lines += [",".join(format(value, ".10g") for value in row.values()) for row in history]
    return "\n".join(lines) + "\n"


def _report(job: Job, row: dict[str, float], improved: bool, seconds: float) -> None:
    line = (
        f"fold {job.fold}  epoch {row['epoch'] + 1:.0f}/{job.config.train.epochs}  "
        f"lr {row['lr']:.2e}  loss {row['train_loss']:.4f}  valid {row['valid_loss']:.4f}  "
        f"{job.metric.name} {row[job.metric.name]:.4f}{' *' if improved else ''}  {seconds:.1f} s"
    )
    say(line)
    with job.run.log.open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def _finish(job: Job, learner: Learner) -> dict[str, Any]:
    manifest = {
        "fold": job.fold,
        "plan": job.plan,
        "epochs": learner.epoch,
        "metric": job.metric.name,
        "best": {
            name: value if math.isfinite(value) else None
            for name, value in (learner.best or {}).items()
        },
        "best_sha256": files.digest_file(job.run.best),
        "last_sha256": files.digest_file(job.run.last),
        "versions": checkpoint.versions(),
    }
    files.write_json(job.run.done, manifest)
    return manifest
