"""The table of what does pieces of work (`--on`): folds to train, parts to measure, and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from comp.core.errors import CompError, UsageError, pick
from comp.core.progress import say
from comp.stages.experiment import Experiment, read_plan, read_train, stage_before, uncut
from comp.stages.extras.boxes import find_crops
from comp.stages.folds import give_stage_plan
from comp.stages.runners.devices import train_on_devices
from comp.stages.runners.order import Order, order_of
from comp.stages.runners.pieces import KINDS
from comp.stages.runners.ray_tasks import train_on_ray
from comp.stages.runners.slots import Slot, parse_devices
from comp.stages.runners.slurm import train_on_slurm
from comp.stages.runners.together import train_together
from comp.stages.runners.where import Where
from comp.stages.train import Trained, prepare, train
from comp.train.hardware.world import started_by_torchrun
from comp.train.stop import Stop

Failed = list[tuple[int, CompError]]  # pieces that failed, with their errors
Send = Callable[[Sequence[int], Stop], Failed]
Ordered = Callable[..., Order]  # the order of this work; takes `among` and `absolute`


def train_on(
    where: Where,
    experiment: Experiment,
    folds: str,
    *,
    restart: bool = False,
    stop: Stop | None = None,
    command: str | None = None,
) -> list[Trained]:
    """Train folds as `comp.stages.train.train` does, which says what the arguments are; `where`
    says what trains them. A fold that fails keeps no other one from its end; its error is raised
    after that. A stage before is finished first. ConfigError for an unknown runner, UsageError for
    one below torchrun."""
    here, before = is_here(where), stage_before(experiment)
    if before is not None:
        stop = stop or Stop(experiment.config.train.max_hours)
        _finish_stage(where, experiment, before, restart=restart, stop=stop, command=command)
    if here:
        return train(experiment, folds, restart=restart, stop=stop, command=command)
    trainer, runs = prepare(experiment, folds, restart=restart, stop=stop, command=command)
    claimed = {k: trainer.claim(k, run, restart=restart) for k, run in runs.items()}
    missing = [fold for fold, found in claimed.items() if found is None]
    if missing:
        trainer.open_pack()
        share_out(where, experiment, missing, trainer.stop, command)
    return [found or trainer.trained(k, runs[k]) for k, found in claimed.items()]


def _finish_stage(
    where: Where,
    experiment: Experiment,
    before: Experiment,
    *,
    restart: bool,
    stop: Stop,
    command: str | None,
) -> None:
    """Train all folds of the stage before, and let it find the boxes of this experiment.

    restart: where the config of the stage changed, it starts over too.
    """
    if started_by_torchrun():
        raise UsageError("stages: not below torchrun; use --devices, also with --together")
    give_stage_plan(experiment, read_plan(experiment, read_train(uncut(experiment))))
    say(f"stage {before.name}: finds the part of each image that {experiment.name} sees")
    runs = map(before.workspace.fold, range(before.config.folds.parts))
    anew = restart and any(run.drift(before.config) for run in runs)
    train_on(where, before, "all", restart=anew, stop=stop, command=command)
    find_crops(experiment)
    say(f"stage {experiment.name}")


def is_here(where: Where) -> bool:
    """Whether this process does the work. ConfigError for an unknown runner, UsageError for one
    below torchrun."""
    pick(RUNNERS, where.on, "runner (--on)")
    if where.on != "local" and started_by_torchrun():
        raise UsageError("torchrun has started several processes; leave --devices and --on out")
    return where.on == "local"


def share_out(
    where: Where,
    experiment: Experiment,
    pieces: Sequence[int],
    stop: Stop | None = None,
    command: str | None = None,
    *,
    work: str = "train",
    options: dict[str, Any] | None = None,
) -> None:
    """Let others do these pieces of a kind of work (KINDS), and wait for all.

    options: what this work knows besides. What fails keeps no other piece from its end; then the
    others are told, and the error of the first is raised.
    """
    failed = shared_out(where, experiment, pieces, stop, command, work=work, options=options)
    for piece, problem in failed[1:]:
        say(f"{KINDS[work].unit} {piece}: {problem}")
    if failed:
        raise failed[0][1]


def shared_out(
    where: Where,
    experiment: Experiment,
    pieces: Sequence[int],
    stop: Stop | None = None,
    command: str | None = None,
    *,
    work: str = "train",
    options: dict[str, Any] | None = None,
) -> Failed:
    """`share_out`, and the pieces that failed with their errors."""
    if where.on == "together" and work != "train":
        raise UsageError("--together is for `comp train`; --devices alone has a process per device")
    runner = pick(RUNNERS, where.on, "runner (--on)")
    assert runner is not None
    order = partial(order_of, experiment, command, work=work, options=options or {})
    send = runner(where, experiment, order)
    return send(pieces, stop or Stop(experiment.config.train.max_hours))


def _on_devices(where: Where, experiment: Experiment, order: Ordered) -> Send:
    """One process per device of this machine."""
    slots = _slots(where, experiment)
    asked = order(among=len(slots))
    return lambda pieces, stop: train_on_devices(slots, asked, pieces, stop)


def _together(where: Where, experiment: Experiment, order: Ordered) -> Send:
    """Each fold on all devices at once, by torchrun."""
    slots, asked = _slots(where, experiment), order()
    return lambda pieces, stop: train_together(slots, asked, pieces, stop)


def _on_ray(where: Where, experiment: Experiment, order: Ordered) -> Send:
    """A task per piece on a Ray cluster."""
    asked = order(absolute=True)
    return lambda pieces, stop: train_on_ray(asked, pieces, stop, where.options)


def _on_slurm(where: Where, experiment: Experiment, order: Ordered) -> Send:
    """A job per piece in an array of SLURM."""
    asked, logs = order(absolute=True), experiment.workspace.run / "slurm"
    return lambda pieces, stop: train_on_slurm(asked, pieces, stop, logs, where.options)


def _slots(where: Where, experiment: Experiment) -> list[Slot]:
    return parse_devices(where.devices or "auto", experiment.config.train.device)


# name -> what sends pieces of work there; None: they are done here
RUNNERS: dict[str, Callable[[Where, Experiment, Ordered], Send] | None] = {
    "local": None,
    "devices": _on_devices,
    "together": _together,
    "ray": _on_ray,
    "slurm": _on_slurm,
}
