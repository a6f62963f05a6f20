"""Everything that changes while a fold is trained, and how it begins."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from timm.layers import convert_sync_batchnorm
from timm.utils import ModelEmaV3

from comp.core import rng
from comp.core.errors import pick
from comp.core.rng import seed_torch
from comp.data.cache.channel_stats import channel_statistics
from comp.data.loader.sampler import SAMPLERS
from comp.models.bags.pools import bag_form
from comp.models.compiled import Compiled, wants_compile
from comp.models.heads import head_of, set_class_prior, set_units
from comp.models.lora import add_lora, freeze_to_lora
from comp.models.networks import Net, build_net, for_images
from comp.models.recompute import recompute
from comp.tasks.class_weights import count_cells, link_weights
from comp.tasks.counts import UNKNOWN
from comp.tasks.losses import LossFunction, Terms, make_loss
from comp.tasks.margin_losses import class_margins
from comp.tasks.several.losses import sum_of_tasks
from comp.tasks.several.parts import units_of
from comp.train.aux import AuxHead
from comp.train.checkpoints.checkpoint import Saved
from comp.train.checkpoints.writer import Writer
from comp.train.hardware.tensors import Average, Buffers
from comp.train.hardware.verdict import Verdict
from comp.train.job import Job
from comp.train.optim import (
    Schedule,
    load_optimizer,
    make_optimizer,
    make_schedule,
    resume_schedule,
)


@dataclass
class TrainState:
    """Everything that changes while a fold is trained.

    `loss_sum`     (2,) float64 on the CPU: the sum of the losses of the epoch so far, and their
                   number
    `micro_batch`  how many images are on the device at once
    `epoch`, `step`  all updates before that step of that epoch are made; both count from 0
    `updates`      how many updates are made
    `lr`           the learning rate of the last update
    `skipped`      how many updates were left out because loss or gradient were not finite
    `best`         the row of the history of the best epoch; None before there is one
    `saved_at`     when the last checkpoint was written; not saved itself
    `verdict`      what became of the last update, not yet read (`comp.train.update.settle`)
    `overflows`    how many updates in a row were left out because a gradient overflowed in fp16
    `writer`       writes the checkpoints
    `aux`          learns the auxiliary targets; None where there are none
    `asked`        what all processes that train together said at the last update: to stop, and
                   whether a checkpoint is due
    `whole`        images of the batch at hand, of all processes
    `synced`       whether batch norms see the whole batch of all processes
    `host`         pinned memory for a verdict; None where the device is no other one
    """

    net: Net
    ema: ModelEmaV3 | None
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    loss: LossFunction
    loss_sum: torch.Tensor
    micro_batch: int
    epoch: int = 0
    step: int = 0
    updates: int = 0
    lr: float = 0.0
    skipped: int = 0
    best: dict[str, float] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    saved_at: float = field(default_factory=time.monotonic)
    verdict: Verdict | None = None
    overflows: int = 0
    aux: AuxHead | None = None
    host: torch.Tensor | None = None
    asked: tuple[int, bool] = (0, False)
    whole: int = 0
    synced: bool = False
    writer: Writer = field(default_factory=lambda: Writer(beside=False))

    @cached_property
    def buffers(self) -> Buffers:
        """The buffers of the network, which can be put back."""
        return Buffers(self.net.module)

    @cached_property
    def average(self) -> Average | None:
        """What moves the moving average."""
        return Average(self.ema, self.net.module) if self.ema else None

    @cached_property
    def leaves_out(self) -> bool:
        """Whether the optimizer leaves out by itself, on the device, what is not finite."""
        return all(group.get("fused") for group in self.optimizer.param_groups)

    @property
    def eval_net(self) -> Net:
        """The network that is validated and saved as the best: the moving average (`train.ema`)
        where there is one; not compiled, as predictions are not."""
        return replace(self.net, module=self.ema.module if self.ema else self.net.module, fast=None)

    def current_lr(self) -> float:
        """The learning rate of the next update, of parameters that have no rate of their own
        (`head_lr`, `layer_decay`)."""
        group = self.optimizer.param_groups[0]
        return float(group["lr"] / group.get("lr_scale", 1.0))

    def saved(self) -> Saved:
        """Everything that `restore` needs. The names are those of the file."""
        assert self.verdict is None, "an update is not settled"
        return {
            "model": self.net.module.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema else None,
            "aux": self.aux.state_dict() if self.aux else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "loss_sum": self.loss_sum,
            "micro": self.micro_batch,
            "epoch": self.epoch,
            "step": self.step,
            "updates": self.updates,
            "rate": self.lr,
            "skipped": self.skipped,
            "overflows": self.overflows,
            "precision": self.net.device.precision,
            "best": self.best,
            "history": self.history,
        }

    def restore(self, saved: Saved, *, same_epochs: bool) -> None:
        """Continue from what `saved` gave. With another number of epochs, the schedule is the new
        one's after the updates made so far."""
        self.net.module.load_state_dict(saved["model"])
        if self.ema:
            self.ema.module.load_state_dict(saved["ema"])
        if self.aux:
            self.aux.load_state_dict(saved["aux"])
        load_optimizer(self.optimizer, saved["optimizer"])
        if saved["scaler"] and self.scaler.is_enabled():  # both were and are fp16
            self.scaler.load_state_dict(saved["scaler"])
        self.loss_sum.copy_(saved["loss_sum"])
        self.micro_batch = min(self.micro_batch, saved["micro"])
        self.epoch, self.step = saved["epoch"], saved["step"]
        self.updates, self.lr = saved["updates"], saved["rate"]
        self.skipped, self.overflows = saved["skipped"], saved.get("overflows", 0)
        self.best, self.history = saved["best"], list(saved["history"])
        place = (self.epoch, self.updates)
        resume_schedule(self.schedule, saved["schedule"], place, same_epochs=same_epochs)


def new_state(job: Job, steps: int, micro_batch: int, *, empty: bool = False) -> TrainState:
    """The state at the start of a fold.

    steps: updates per epoch. empty: a checkpoint is about to fill the weights. Raises what
    `build_net`, `make_optimizer` and `make_loss` raise.
    """
    config, train = job.config, job.config.train
    seed_torch(config.seed, "init", job.fold)
    net = build_net(
        config.model.at(job.workspace),
        job.columns,
        config.image.size,
        job.device,
        job.classes,
        spatial=job.task.spatial,
        empty=empty,
        per_number=job.per_number,
        steps=job.task.link.steps,
        channels=config.image.channels,
        bag=bag_form(config),
    )
    net = for_images(net, config.image)
    model = config.model
    if model.lora is not None:
        name = model.encoder or model.name
        add_lora(net.module, name, model.lora, model.lora_scale, config.image.size)
        freeze_to_lora(net.module)
    if train.grad_checkpointing:
        recompute(net.module, config.model.encoder or config.model.name)
    if job.task.link.has_units:
        if not empty:
            set_units(net.module, *_units(job))
    elif not empty and config.model.init == "auto":
        set_class_prior(net.module, config.model, _prior_logits(job).tolist())
    if not empty:
        net.mean, net.std = _channel_norms(job, net)
    synced = job.world.shared and train.sync_norm
    if synced:
        net.module = convert_sync_batchnorm(net.module)
    if wants_compile(train.compile, job.device, deterministic=train.deterministic):
        net.fast = Compiled(net.module)
    apart = train.head_lr is not None or train.freeze_epochs > 0
    optimizer = make_optimizer(net.module, train, head_of(net.module) if apart else None)
    ema = ModelEmaV3(net.module, decay=train.ema, use_warmup=True) if train.ema else None
    aux = AuxHead(job.aux, net.module).to(job.device.torch_device) if job.aux else None
    if aux is not None:
        decay = {"weight_decay": train.weight_decay, "lr_scale": 1.0}
        optimizer.add_param_group({"params": [*aux.parameters()], **decay})
    return TrainState(
        net=net,
        ema=ema,
        aux=aux,
        optimizer=optimizer,
        schedule=make_schedule(optimizer, train, steps, rising=job.metric.greater_is_better),
        scaler=torch.amp.GradScaler(job.device.torch_device.type, enabled=job.device.scaled),
        loss=loss_of(job),
        loss_sum=torch.zeros(2, dtype=torch.float64),
        micro_batch=micro_batch,
        writer=Writer(beside=job.device.cuda, mute=not job.world.lead),
        synced=synced,
        host=torch.zeros(2, pin_memory=True) if job.device.cuda else None,
    )


def _prior_logits(job: Job) -> np.ndarray[Any, Any]:
    """(C,) the logits of the class shares in the rows that the first epoch shows."""
    config = job.config
    target = job.target[job.train_rows]
    sampler = pick(SAMPLERS, config.train.sampler, "train.sampler")
    draw = rng.generator(config.seed, "order", job.fold, 0)
    shown = target[sampler(target, config.train.sampler_strength, draw)]
    if shown.ndim == 1 and job.columns > 1:
        shares = np.bincount(shown, minlength=job.columns) / len(shown)
    else:
        cells = shown.reshape(len(shown), -1)
        known = cells != UNKNOWN
        shares = (cells * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return job.task.link.prior_logits(shares)


def _units(job: Job) -> tuple[torch.Tensor, torch.Tensor]:
    """(C,) mean and standard deviation of the numbers of the training part, on the scale that the
    network predicts; a deviation of 1 where there is none."""
    if job.task.link.parts:
        shift, scale = units_of(job.task.link.parts, job.target[job.train_rows])
        return torch.from_numpy(shift).float(), torch.from_numpy(scale).float()
    target = torch.from_numpy(job.target[job.train_rows])
    scaled = job.task.link.loss_target(target, target).double()
    spread = scaled.std(dim=0, correction=0)
    return scaled.mean(dim=0).float(), torch.where(spread > 0, spread, 1.0).float()


def _channel_norms(job: Job, net: Net) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the channels: of the config, the training rows, or the network."""
    image, found = job.config.image, (net.mean, net.std)
    if "auto" in (image.mean, image.std):
        found = channel_statistics(job.images, job.train_rows)
    mean = net.mean if image.mean is None else found[0] if image.mean == "auto" else image.mean
    std = net.std if image.std is None else found[1] if image.std == "auto" else image.std
    return tuple(mean), tuple(std)


def _count_cells(job: Job) -> np.ndarray[Any, Any]:
    """How often each class occurs in the training part: among images, or among pixels."""
    link, target = job.task.link.family, job.target[job.train_rows]
    if job.masks is None:
        return count_cells(target, link, job.columns)
    parts = (job.masks[row].transpose(2, 0, 1)[None] for row in job.train_rows)
    return np.asarray(sum(count_cells(part, link, job.columns) for part in parts))


def loss_of(job: Job) -> LossFunction:
    """The loss of the config, with the class weights of the training part of this fold."""
    train, link = job.config.train, job.task.link.family
    weights = None
    if train.class_weights != "none" or train.pos_weight is not None:
        found = link_weights(_count_cells(job), link, train.class_weights, train.pos_weight)
        weights = None if found is None else torch.from_numpy(found).float()
    if weights is not None:
        weights = weights.to(job.device.torch_device)
    spec = job.task.loss if train.loss == "auto" else train.loss
    spread = _units(job)[1].to(job.device.torch_device) if job.task.link.has_units else None
    terms = Terms(
        smoothing=train.label_smoothing,
        weights=weights,
        gamma=train.focal_gamma,
        alpha=train.focal_alpha,
        costs=train.tversky,
        spread=spread,
        margins=_margins(job),
        scale=job.config.model.scale,
        parts=job.task.link.parts,
        gaps=bool(job.task.link.parts) and bool(np.isnan(job.target).any()),
    )
    return sum_of_tasks(terms) if terms.parts else make_loss(spec, link, terms)


def _margins(job: Job) -> torch.Tensor | None:
    """(C,) the margin of each class, by the training part; None where there are no classes."""
    if job.task.target_ndim != 1 or job.columns < 2:
        return None
    counts = np.bincount(job.target[job.train_rows], minlength=job.columns)
    train = job.config.train
    margins = class_margins(counts, train.margin, train.margin_power)
    return torch.from_numpy(margins).to(job.device.torch_device)


def place_text(epoch: int, step: int) -> str:
    """Where a fold stands, for its user: epochs count from 1; `step` updates of it are made."""
    return f"epoch {epoch + 1} step {step}"
