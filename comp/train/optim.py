"""Optimizers and schedules: timm's factories, and two schedules of torch behind their interface.

A schedule has two calls: `step_update(updates)` after each update, `step(epoch, score)` after each
epoch; `train.sched_by` says which of them sets the learning rates.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import timm.optim
import torch
from timm.scheduler import create_scheduler_v2
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from comp.config.schema import TrainConfig
from comp.core.errors import ConfigError, did_you_mean, pick
from comp.train.hardware.tensors import tensor_bytes

_SECOND = ("adahessian",)  # need second derivatives, which a step here does not make
_PACKAGES = {"bnb": ("bitsandbytes", "bitsandbytes"), "fused": ("apex", "NVIDIA's apex")}
_KERNELS = ("fused", "foreach", "capturable")  # options that say how, not what
_SIDE = 128  # of the layer that an optimizer is measured on; smaller ones are kept in another way
_USUAL = 2.0  # tensors that an optimizer keeps of each parameter, where it is not measured
_FUSED = ("adam", "adamw", "sgd", "momentum", "nesterov")


def make_optimizer(
    module: nn.Module, config: TrainConfig, head: nn.Module | None = None
) -> torch.optim.Optimizer:
    """timm's optimizer `train.opt`; biases and norms are not decayed. Fused on CUDA and on CPUs.

    head: the part of `module` that learns at `train.head_lr`, where that is set.
    Raises ConfigError for a name that timm does not have, and for one that cannot be had here.
    """
    known: list[str] = timm.optim.list_optimizers()
    if config.opt not in known:
        hint = did_you_mean(config.opt, known)
        raise ConfigError(f"unknown train.opt {config.opt!r}; timm has: {', '.join(known)}.{hint}")
    _refuse_missing(config.opt, next(module.parameters()).device.type)
    fused = config.opt in _FUSED and next(module.parameters()).device.type in ("cuda", "cpu")
    extra: dict[str, Any] = {"fused": True} if fused else {}
    if config.layer_decay is not None:
        extra["layer_decay"] = config.layer_decay
    if config.head_lr is not None and head is not None:
        scale = config.head_lr / config.lr
        extra["param_group_fn"] = lambda module: _head_apart(module, config, head, scale)
    optimizer: torch.optim.Optimizer = timm.optim.create_optimizer_v2(
        module, opt=config.opt, lr=config.lr, weight_decay=config.weight_decay, **extra
    )
    _fill_momentum(optimizer)
    return optimizer


def _refuse_missing(name: str, device: str) -> None:
    """ConfigError for an optimizer of a package or a device that is not here."""
    if name in _SECOND:
        raise ConfigError(f"train.opt: {name} needs second derivatives; use another optimizer")
    for prefix, (package, title) in _PACKAGES.items():
        if not name.startswith(prefix):
            continue
        plain = name.removeprefix(prefix).removesuffix("8bit")
        if device != "cuda":
            raise ConfigError(f"train.opt: {name} is for CUDA; on {device} use train.opt: {plain}")
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"train.opt: {name} needs {title}, which is not installed (`pip install {package}`)"
                f"; or use train.opt: {plain}"
            )


def state_to_come(optimizer: torch.optim.Optimizer, config: TrainConfig) -> list[int]:
    """Bytes that the first updates add to what `optimizer` keeps, of each parameter that learns.

    What it keeps of a parameter is measured: it is what the same optimizer has of a small layer
    after two updates. Momenta that are there already are not counted again.
    """
    learns = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    if not learns:
        return []
    share = _state_share(config, learns[0].device)
    return [
        max(0, round(share * tensor_bytes(value)) - tensor_bytes(optimizer.state.get(value, {})))
        for value in learns
    ]


def _state_share(config: TrainConfig, device: torch.device) -> float:
    """The bytes of state that `train.opt` has of a layer, over those of the layer."""
    if config.opt.removeprefix("c").startswith("kron"):  # compiles for minutes
        return _USUAL
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        layer = nn.Linear(_SIDE, _SIDE, bias=False, device=device)
    plain = config.model_copy(update={"layer_decay": None, "head_lr": None})
    optimizer = make_optimizer(layer, plain)
    for _ in range(2):
        layer.weight.grad = torch.ones_like(layer.weight)
        optimizer.step()
    return tensor_bytes(dict(optimizer.state[layer.weight])) / tensor_bytes(layer.weight)


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Continue from a `state_dict()`, of another device too: which kernels do the work (`fused`)
    is up to the device here."""
    kept = [
        {name: group[name] for name in _KERNELS if name in group}
        for group in optimizer.param_groups
    ]
    groups = [{**old, **own} for old, own in zip(saved["param_groups"], kept, strict=True)]
    optimizer.load_state_dict({**saved, "param_groups": groups})
    _fill_momentum(optimizer)


def _fill_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Begin fused SGD with a momentum of zero, which is what it does by itself. By itself it makes
    one for all parameters or none, without zeros in a step that is left out, and fails where some
    parameters begin to learn later than others."""
    if not isinstance(optimizer, torch.optim.SGD):
        return
    for group in optimizer.param_groups:
        if group["momentum"] and group["fused"]:
            for value in group["params"]:
                if optimizer.state[value].get("momentum_buffer") is None:
                    optimizer.state[value]["momentum_buffer"] = torch.zeros_like(value)


def _head_apart(
    module: nn.Module, config: TrainConfig, head: nn.Module, scale: float
) -> list[dict[str, Any]]:
    """timm's parameter groups, with those of the head cut out and given another `lr_scale`."""
    common: dict[str, Any] = {"weight_decay": config.weight_decay}
    spared: Any = getattr(module, "no_weight_decay", None)
    if spared is not None:
        common["no_weight_decay_list"] = spared()
    if config.layer_decay is None:
        groups: Any = timm.optim.param_groups_weight_decay(module, **common)
    else:
        common["layer_decay"] = config.layer_decay
        groups = timm.optim.param_groups_layer_decay(module, **common)
    own = {id(parameter) for parameter in head.parameters()}
    out = []
    for group in groups:
        inside = [value for value in group["params"] if id(value) in own]
        outside = [value for value in group["params"] if id(value) not in own]
        out += [{**group, "params": outside}] if outside else []
        out += [{**group, "params": inside, "lr_scale": scale}] if inside else []
    return out


class Schedule(Protocol):
    """What the loop needs of a schedule; those of timm have it."""

    def step_update(self, num_updates: int) -> None:
        """After an update; `num_updates` are made so far."""

    def step(self, epoch: int, metric: float | None = None) -> None:
        """After an epoch; `epoch` are made so far, `metric` is the score of the last."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""


def _peaks(optimizer: torch.optim.Optimizer) -> list[float]:
    return [group["lr"] * group.get("lr_scale", 1.0) for group in optimizer.param_groups]


class OneCycle:
    """torch's OneCycleLR (Smith and Topin 2018), set to the number of updates made.

    `train.warmup_epochs` is the length of the rise; without it, 30 % of the training.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int) -> None:
        self.by_epoch = config.sched_by == "epoch"
        self.updates_per_epoch = steps
        moving = {"momentum", "betas"} & optimizer.defaults.keys()
        floor = config.min_lr or config.lr / 25e4  # torch's own
        self.inner = OneCycleLR(
            optimizer,
            max_lr=_peaks(optimizer),
            total_steps=config.epochs * steps + 1,
            pct_start=config.warmup_epochs / config.epochs or 0.3,
            cycle_momentum=bool(moving),
            final_div_factor=config.lr / 25 / floor,
        )

    def _go_to(self, updates: int) -> None:
        self.inner.last_epoch = min(updates, self.inner.total_steps - 1) - 1
        with warnings.catch_warnings():  # it jumps to a place instead of stepping in order
            warnings.simplefilter("ignore")
            self.inner.step()

    def step_update(self, num_updates: int) -> None:
        """After an update."""
        if not self.by_epoch:
            self._go_to(num_updates)

    def step(self, epoch: int, metric: float | None = None) -> None:
        """After an epoch."""
        if self.by_epoch:
            self._go_to(epoch * self.updates_per_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the rates are a function of the place, which each call gives."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to restore."""


class Plateau:
    """torch's ReduceLROnPlateau on the validation metric, after timm's linear warm-up.

    The rate falls by `train.decay_rate` after `train.decay_epochs` epochs without a better score.
    (timm's own is deprecated, and its counters do not survive a resume.)
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int, *, rising: bool
    ) -> None:
        self.optimizer = optimizer
        self.peaks = _peaks(optimizer)
        for group, peak in zip(optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak
        self.warmup = config.warmup_epochs
        self.steps = steps
        self.inner = ReduceLROnPlateau(
            optimizer,
            mode="max" if rising else "min",
            factor=config.decay_rate,
            patience=config.decay_epochs - 1,
            threshold=0.0,
            threshold_mode="abs",
            min_lr=config.min_lr,
        )

    def step_update(self, num_updates: int) -> None:
        """After an update: the warm-up."""
        share = num_updates / (self.warmup * self.steps) if self.warmup else math.inf
        if share <= 1:
            for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
                group["lr"] = peak * (0.01 + 0.99 * share)

    def step(self, epoch: int, metric: float | None = None) -> None:
        """After an epoch: the score counts; NaN counts as no improvement."""
        if metric is not None and epoch > self.warmup:
            self.inner.step(metric)

    def state_dict(self) -> dict[str, Any]:
        """The counters of torch's scheduler."""
        return {
            name: getattr(self.inner, name) for name in ("best", "num_bad_epochs", "last_epoch")
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        for name, value in state_dict.items():
            setattr(self.inner, name, value)


Options = Callable[[TrainConfig, int], dict[str, Any]]


def _decay(config: TrainConfig) -> dict[str, Any]:
    return {"decay_epochs": config.decay_epochs, "decay_rate": config.decay_rate}


# name -> options of timm's factory beyond epochs, warm-up and the lowest rate; from the config and
# the number of its units per epoch
_TIMM: dict[str, Options] = {
    "cosine": lambda *_: {"sched": "cosine"},
    "restarts": lambda c, _: {
        "sched": "cosine",
        "num_epochs": c.epochs / c.cycles,
        "cycle_limit": c.cycles,
        "cycle_decay": 1.0,
    },
    "poly": lambda *_: {"sched": "poly", "decay_rate": 1.0},
    "constant": lambda *_: {"sched": "constant"},
    "step": lambda c, _: {"sched": "step", **_decay(c)},
    "multistep": lambda c, units: {
        "sched": "multistep",
        # timm's take effect one unit early; the half makes them come in time
        "decay_milestones": [epoch + 0.5 / units for epoch in c.milestones],
        "decay_rate": c.decay_rate,
    },
}


def _timm(name: str) -> Callable[[torch.optim.Optimizer, TrainConfig, int, bool], Schedule]:
    def make(
        optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int, _: bool
    ) -> Schedule:
        units = 1 if config.sched_by == "epoch" else steps
        options: dict[str, Any] = {"num_epochs": config.epochs, **_TIMM[name](config, units)}
        schedule: Schedule
        schedule, _epochs = create_scheduler_v2(
            optimizer,
            warmup_epochs=config.warmup_epochs,
            warmup_lr=config.lr / 100,
            min_lr=config.min_lr,
            step_on_epochs=config.sched_by == "epoch",
            updates_per_epoch=steps,
            **options,
        )
        return schedule

    return make


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer, TrainConfig, int, bool], Schedule]] = {
    **{name: _timm(name) for name in _TIMM},
    "onecycle": lambda optimizer, config, steps, _: OneCycle(optimizer, config, steps),
    "plateau": lambda optimizer, config, steps, rising: Plateau(
        optimizer, config, steps, rising=rising
    ),
}


def make_schedule(
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    updates_per_epoch: int,
    *,
    rising: bool = True,
) -> Schedule:
    """The learning rates as a function of the updates, or the epochs, made; warm-up included.

    rising: whether a higher score is a better one (`sched: plateau` reads scores).
    """
    make = pick(SCHEDULES, config.sched, "train.sched")
    schedule = make(optimizer, config, updates_per_epoch, rising)
    schedule.step_update(0)
    schedule.step(0)
    return schedule


def resume_schedule(
    schedule: Schedule, state: dict[str, Any], place: tuple[int, int], *, same_epochs: bool
) -> None:
    """Continue from the `state` of a schedule at `place`: epochs and updates made.

    With another number of epochs the rates are those of the new number at that place; `plateau`
    keeps the scores that it has seen.
    """
    if same_epochs or isinstance(schedule, Plateau):
        schedule.load_state_dict(state)
    if not same_epochs:
        schedule.step_update(place[1])
        schedule.step(place[0])
