"""What changes while a fold is trained, how it is made, kept and taken up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.utils import ModelEmaV3

from comp.config.loading import plain
from comp.config.schema import Config
from comp.config.workspace import RunDir, refuse_changes
from comp.core import files
from comp.core.errors import RunError
from comp.core.footer import read_place
from comp.core.progress import say
from comp.core.provenance import versions
from comp.core.rng import seed_torch
from comp.data.cache.channel_stats import channel_statistics
from comp.data.cache.mask_store import MaskStore
from comp.models.device import Device
from comp.models.heads import head_of
from comp.models.networks import Net, build_net, with_tiles
from comp.tasks.class_weights import count_cells, link_weights
from comp.tasks.kinds import Task
from comp.tasks.losses import LossFunction, Terms, make_loss
from comp.tasks.metrics import Metric
from comp.train import checkpoint
from comp.train.checkpoint import State
from comp.train.optim import make_optimizer, make_schedule, take_up
from comp.train.stop import Stop


@dataclass(frozen=True)
class Job:
    """All that one fold is trained from.

    `images` (N, S, S, 3) uint8 and `target` (N, ...) of the whole index; `train_rows` and
    `valid_rows` number its rows; `plan` is the fingerprint of the fold plan, `content` one of the
    image files ("" where that is not known); `mask_paths` are the mask files of the index, where
    it has some. `masks`: those of the index, for segmentation; the target then says which classes
    an image holds. `show` is called with the job, the network, its
    `comp.train.validate.Validation` and the epoch, every `train.show_every` epochs. `workspace`:
    what paths of the config are relative to.
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
    mask_paths: tuple[Path | None, ...] | None = None
    masks: MaskStore | None = None
    show: Callable[[Job, Net, Any, int], None] | None = None
    stop: Stop = field(default_factory=Stop)
    content: str = ""
    workspace: Path = Path()


@dataclass
class Learner:
    """What changes while a fold is trained.

    `loss_sum` holds the sum of the losses of the epoch so far and their number, on the device;
    `skipped` counts the updates that were left out because their loss was not finite; `micro` is
    how many images are on the device at once; `rate` is the learning rate of the last update.
    `saved_at` is not kept.
    """

    net: Net
    ema: ModelEmaV3 | None
    optimizer: torch.optim.Optimizer
    schedule: Any
    scaler: torch.amp.GradScaler
    loss: LossFunction
    loss_sum: torch.Tensor
    micro: int
    epoch: int = 0
    step: int = 0
    updates: int = 0
    rate: float = 0.0
    skipped: int = 0
    best: dict[str, float] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    saved_at: float = field(default_factory=time.monotonic)

    @property
    def judged(self) -> Net:
        """The network that is validated and kept: the averaged one where there is an average."""
        if self.ema is None:
            return self.net
        return replace(self.net, module=self.ema.module)

    def rate_now(self) -> float:
        """The learning rate that the schedule says now: that of parameters without a rate of their
        own (`head_lr`, `layer_decay`)."""
        group = self.optimizer.param_groups[0]
        return float(group["lr"] / group.get("lr_scale", 1.0))

    def state(self) -> State:
        """Everything that `restore` needs."""
        return {
            "model": self.net.module.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "loss_sum": self.loss_sum,
            "micro": self.micro,
            "epoch": self.epoch,
            "step": self.step,
            "updates": self.updates,
            "rate": self.rate,
            "skipped": self.skipped,
            "best": self.best,
            "history": self.history,
        }

    def restore(self, state: State, *, same_epochs: bool) -> None:
        """Go on from `state`. With another number of epochs, the schedule is the new one's at the
        updates made so far."""
        self.net.module.load_state_dict(state["model"])
        if self.ema:
            self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.loss_sum.copy_(state["loss_sum"])
        self.micro = min(self.micro, state["micro"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.updates, self.rate = state["updates"], state["rate"]
        self.skipped = state["skipped"]
        self.best, self.history = state["best"], list(state["history"])
        place = (self.epoch, self.updates)
        take_up(self.schedule, state["schedule"], place, same_epochs=same_epochs)


def make_learner(job: Job, steps: int, micro: int) -> Learner:
    """The learner of a fold: taken up from its last checkpoint, or new.

    steps: updates an epoch; micro: images on the device at once. Raises what `load_last`,
    `build_net` and `require_space` raise, and RunError for a checkpoint of another fold or plan.
    """
    state, damaged = checkpoint.load_last(job.run)
    learner = new_learner(job, steps, micro, empty=state is not None)
    if state is None:
        checkpoint.require_space(learner.state(), job.run, fresh=True, top=job.config.train.top_k)
    else:
        _resume(job, learner, state, damaged)
    return learner


def new_learner(job: Job, steps: int, micro: int, *, empty: bool = False) -> Learner:
    """A learner at the start of the fold. empty: its weights are about to be filled."""
    config, train = job.config, job.config.train
    seed_torch(config.seed, "init", job.fold)
    outputs = job.task.columns(len(job.classes))
    net = build_net(
        config.model.at(job.workspace),
        outputs,
        config.image.size,
        job.device,
        job.classes,
        spatial=job.task.spatial,
        empty=empty,
    )
    net = with_tiles(net, config.image)
    if not empty:
        net.mean, net.std = _norms(job, net)
    apart = train.head_lr is not None or train.freeze_epochs > 0
    optimizer = make_optimizer(net.module, train, head_of(net.module) if apart else None)
    return Learner(
        net=net,
        ema=ModelEmaV3(net.module, decay=train.ema, use_warmup=True) if train.ema else None,
        optimizer=optimizer,
        schedule=make_schedule(optimizer, train, steps, rising=job.metric.greater_is_better),
        scaler=torch.amp.GradScaler(job.device.torch_device.type, enabled=job.device.scaled),
        loss=_make_loss(job, outputs),
        loss_sum=torch.zeros(2, dtype=torch.float64, device=job.device.torch_device),
        micro=micro,
    )


def _norms(job: Job, net: Net) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of the channels: of the config, of the training rows, or of the network."""
    image, found = job.config.image, (net.mean, net.std)
    if "auto" in (image.mean, image.std):
        found = channel_statistics(job.images, job.train_rows)
    mean = net.mean if image.mean is None else found[0] if image.mean == "auto" else image.mean
    std = net.std if image.std is None else found[1] if image.std == "auto" else image.std
    return tuple(mean), tuple(std)


def _count_cells(job: Job, outputs: int) -> np.ndarray[Any, Any]:
    """How often each class occurs in the training part: among images, or among pixels."""
    link, target = job.task.link.name, job.target[job.train_rows]
    if job.masks is None:
        return count_cells(target, link, outputs)
    parts = (job.masks[row].transpose(2, 0, 1)[None] for row in job.train_rows)
    return np.asarray(sum(count_cells(part, link, outputs) for part in parts))


def _make_loss(job: Job, outputs: int) -> LossFunction:
    """The loss of the config, with the class weights of the training part of this fold."""
    train, link = job.config.train, job.task.link.name
    weights = None
    if train.class_weights != "none" or train.pos_weight is not None:
        counts = _count_cells(job, outputs)
        weights = link_weights(counts, link, train.class_weights, train.pos_weight)
    on_device = None
    if weights is not None:
        on_device = torch.from_numpy(weights).float().to(job.device.torch_device)
    spec = job.task.loss if train.loss == "auto" else train.loss
    terms = Terms(
        train.label_smoothing, on_device, train.focal_gamma, train.focal_alpha, train.tversky
    )
    return make_loss(spec, link, terms)


def _resume(job: Job, learner: Learner, state: State, damaged: list[str]) -> None:
    _refuse_foreign(job, state)
    if state["best"] is not None:
        _check_best(job)
    before, epochs = state["config"]["train"]["epochs"], job.config.train.epochs
    learner.restore(state, same_epochs=before == epochs)
    learner.net.mean, learner.net.std = tuple(state["mean"]), tuple(state["std"])
    for line in damaged:
        say(f"fold {job.fold}: {line}; going on from the one before it, {_lost(job, learner)}")
    if damaged:
        files.remove(job.run.last)  # else the next save would put it in the place of the whole one
    checkpoint.require_space(learner.state(), job.run, fresh=False)
    _say_resumed(job, learner)
    if before != epochs:
        say(f"fold {job.fold}: {before} -> {epochs} epochs; the schedule is that of {epochs}")
    old, new = state["versions"], versions()
    for name in new:
        if old.get(name, new[name]) != new[name]:
            say(f"fold {job.fold}: {name} was {old[name]} and is {new[name]}")


def tell_place(epoch: int, step: int) -> str:
    """Where a fold stands, for its user: epochs count from 1; `step` updates of it are made."""
    return f"epoch {epoch + 1} step {step}"


def _say_resumed(job: Job, learner: Learner) -> None:
    over = learner.epoch >= job.config.train.epochs
    where = f"after epoch {learner.epoch}" if over else tell_place(learner.epoch, learner.step)
    said = f"fold {job.fold}: resumed {where}, lr {learner.rate_now():.3g}"
    if learner.best is not None:
        best = learner.best
        said += f", best {best[job.metric.name]:.4f} (epoch {best['epoch'] + 1})"
    say(said)


def _lost(job: Job, learner: Learner) -> str:
    """What the newest checkpoint held beyond the one that is taken up, where it still tells."""
    place, now = read_place(job.run.last), (learner.epoch, learner.step)
    if place is None or place <= now:
        return tell_place(*now)
    return f"{tell_place(*now)}; lost: up to {tell_place(*place)}"


def _check_best(job: Job) -> None:
    try:
        checkpoint.check(job.run.best)
    except RunError as problem:
        raise RunError(
            f"{problem}\nIts weights are nowhere else. Bring the file back from a backup, or start "
            "the fold over with `comp train --restart`."
        ) from problem


def _refuse_foreign(job: Job, state: State) -> None:
    """RunError when a checkpoint is of another fold, plan, config or of other images."""
    found = (state.get("plan"), state.get("fold"))
    if found != (job.plan, job.fold):
        raise RunError(
            f"{job.run.last}: made for fold {found[1]} of plan {str(found[0])[:8]}, this is fold "
            f"{job.fold} of plan {job.plan[:8]}. Start the fold over with `comp train --restart`, "
            "or bring the old plan back."
        )
    refuse_changes(str(job.run.last), state["config"], job.config)
    if "" not in (job.content, state["content"]) and state["content"] != job.content:
        raise RunError(
            f"{job.run.last}: trained on other image files ({state['content'][:8]}, now "
            f"{job.content[:8]}): some were added, removed or replaced since. Bring the old ones "
            "back, or start the fold over with `comp train --restart`."
        )


def _about(job: Job, learner: Learner) -> State:
    return {
        "fold": job.fold,
        "plan": job.plan,
        "config": plain(job.config),
        "classes": list(job.classes),
        "content": job.content,
        "mean": list(learner.net.mean),
        "std": list(learner.net.std),
        "versions": versions(),
    }


def check_best(job: Job, learner: Learner) -> None:
    """RunError when `best.pt` is not what this fold kept as its best."""
    state = checkpoint.load(job.run.best)
    epochs = [(best or {}).get("epoch") for best in (state.get("best"), learner.best)]
    if (state.get("plan"), state.get("fold"), epochs[0]) != (job.plan, job.fold, epochs[1]):
        raise RunError(
            f"{job.run.best}: of another fold, plan or epoch than this one. Bring the right file "
            "back from a backup, or start the fold over with `comp train --restart`."
        )


def judged_state(job: Job, learner: Learner) -> State:
    """What predictions are made from: the weights that were judged, and of what they are."""
    weights = learner.judged.module.state_dict()
    return {"model": weights, "best": learner.best, **_about(job, learner)}


def save_best(job: Job, learner: Learner) -> None:
    checkpoint.save(judged_state(job, learner), job.run.best)


def save_last(job: Job, learner: Learner) -> None:
    started = time.monotonic()
    checkpoint.save_last({**learner.state(), **_about(job, learner)}, job.run)
    learner.saved_at = time.monotonic()
    job.stop.longest_save = max(job.stop.longest_save, learner.saved_at - started)
