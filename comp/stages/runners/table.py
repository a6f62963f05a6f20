"""The table of what trains folds (`--on`), and what is the same whichever does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comp.config.workspace import RunDir
from comp.core.errors import CompError
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


def where_of(devices: str | None = None) -> Where:
    """Where a command line asks folds to be trained."""
    return HERE if devices is None else Where("devices", devices)


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
}
