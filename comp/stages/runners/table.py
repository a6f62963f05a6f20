"""The table of what trains folds (`--on`), and what is the same whichever does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comp.config.workspace import RunDir
from comp.core.errors import CompError, UsageError
from comp.core.progress import say

if TYPE_CHECKING:
    from comp.stages.train import Trained, Trainer

Failed = list[tuple[int, CompError]]  # folds that failed, with their errors


@dataclass(frozen=True)
class Where:
    """Where folds are trained.

    `on`       a name of RUNNERS
    `devices`  what `--devices` says
    `options`  what a cluster is asked for, by the names that it has for them
    """

    on: str = "local"
    devices: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


HERE = Where()


def where_of(
    devices: str | None = None,
    *,
    together: bool = False,
    on: str | None = None,
    ask: Sequence[str] = (),
) -> Where:
    """Where a command line asks folds to be trained; UsageError for options that do not go
    together."""
    if devices is not None and on not in (None, "devices"):
        raise UsageError(f"--devices is for this machine; with --on {on}, use --ask")
    if together and devices is None:
        raise UsageError("--together trains one fold on several devices; name them: --devices 0,1")
    pairs = [text.partition("=") for text in ask]
    wrong = [name for name, equals, value in pairs if not (name and equals and value)]
    if wrong:
        raise UsageError(f"--ask {wrong[0]}: write KEY=VALUE")
    options = {name: value for name, _, value in pairs}
    name = on or ("local" if devices is None else "together" if together else "devices")
    if options and name not in ("ray", "slurm"):
        raise UsageError("--ask is for --on ray and --on slurm")
    return Where(name, devices, options)


@dataclass(frozen=True)
class Work:
    """Folds to train: their run folders, what trains them, where, and whether they begin again."""

    trainer: Trainer
    runs: Mapping[int, RunDir]
    where: Where
    restart: bool


def _here(work: Work) -> list[Trained]:
    """In this process, one fold after the other."""
    from comp.stages.train import epochs_left

    trainer, done = work.trainer, []
    with trainer.stop.listening():
        for place, (fold, run) in enumerate(work.runs.items(), 1):
            later = [*work.runs.values()][place:]
            trainer.stop.later_epochs = epochs_left(later, trainer.experiment.config)
            done.append(trainer.run(fold, run, restart=work.restart))
    return done


def _on_devices(work: Work) -> list[Trained]:
    """One process per device of this machine."""
    from comp.stages.runners.devices import train_on_devices
    from comp.stages.runners.order import order_of
    from comp.stages.runners.slots import parse_devices

    trainer = work.trainer
    slots = parse_devices(work.where.devices or "auto", trainer.experiment.config.train.device)
    order = order_of(trainer.experiment, trainer.command, among=len(slots))
    return _sent(work, lambda folds: train_on_devices(slots, order, folds, trainer.stop))


def _together(work: Work) -> list[Trained]:
    """Each fold on all devices at once, by torchrun."""
    from comp.stages.runners.order import order_of
    from comp.stages.runners.slots import parse_devices
    from comp.stages.runners.together import train_together

    trainer = work.trainer
    slots = parse_devices(work.where.devices or "auto", trainer.experiment.config.train.device)
    order = order_of(trainer.experiment, trainer.command)
    return _sent(work, lambda folds: train_together(slots, order, folds, trainer.stop))


def _on_ray(work: Work) -> list[Trained]:
    """A task per fold on a Ray cluster."""
    from comp.stages.runners.order import order_of
    from comp.stages.runners.ray_tasks import train_on_ray

    trainer, options = work.trainer, work.where.options
    order = order_of(trainer.experiment, trainer.command, absolute=True)
    return _sent(work, lambda folds: train_on_ray(order, folds, trainer.stop, options))


def _on_slurm(work: Work) -> list[Trained]:
    """A job per fold in an array of SLURM."""
    from comp.stages.runners.order import order_of
    from comp.stages.runners.slurm import train_on_slurm

    trainer, options = work.trainer, work.where.options
    order = order_of(trainer.experiment, trainer.command, absolute=True)
    logs = trainer.experiment.workspace.run / "slurm"
    return _sent(work, lambda folds: train_on_slurm(order, folds, trainer.stop, logs, options))


def _sent(work: Work, send: Callable[[Sequence[int]], Failed]) -> list[Trained]:
    """Let `send` train the folds that are not finished; the packs are made here, before.

    A fold that fails keeps no other one from its end; its error is raised after that.
    """
    trainer = work.trainer
    claimed = {k: trainer.claim(k, run, restart=work.restart) for k, run in work.runs.items()}
    missing = [fold for fold, found in claimed.items() if found is None]
    if missing:
        trainer.open_pack()
        failed = send(missing)
        for fold, problem in failed[1:]:
            say(f"fold {fold}: {problem}")
        if failed:
            raise failed[0][1]
    return [found or trainer.trained(k, work.runs[k]) for k, found in claimed.items()]


# name -> what trains the folds of a Work
RUNNERS: dict[str, Callable[[Work], list[Trained]]] = {
    "local": _here,
    "devices": _on_devices,
    "together": _together,
    "ray": _on_ray,
    "slurm": _on_slurm,
}
