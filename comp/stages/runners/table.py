"""The table of what trains folds (`--on`), and what is the same whichever does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from comp.core.errors import CompError, UsageError, pick
from comp.core.progress import say
from comp.stages.experiment import Experiment, read_plan, read_train, stage_before, uncut
from comp.stages.extras.boxes import find_crops
from comp.stages.folds import give_stage_plan
from comp.stages.runners.devices import train_on_devices
from comp.stages.runners.order import order_of
from comp.stages.runners.ray_tasks import train_on_ray
from comp.stages.runners.slots import Slot, parse_devices
from comp.stages.runners.slurm import train_on_slurm
from comp.stages.runners.together import train_together
from comp.stages.train import Trained, prepare, train
from comp.train.hardware.world import started_by_torchrun
from comp.train.stop import Stop

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
    """What is asked for: the arguments of `comp.stages.train.train`, and where."""

    experiment: Experiment
    folds: str
    restart: bool
    stop: Stop | None
    command: str | None
    where: Where


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
    says what trains them. ConfigError for an unknown runner, UsageError for one below torchrun."""
    runner = pick(RUNNERS, where.on, "runner (--on)")
    if where.on != "local" and started_by_torchrun():
        raise UsageError("torchrun has started several processes; leave --devices and --on out")
    before = stage_before(experiment)
    if before is not None:
        if started_by_torchrun():
            raise UsageError("stages: not below torchrun; use --devices, also with --together")
        stop = stop or Stop(experiment.config.train.max_hours)
        give_stage_plan(experiment, read_plan(experiment, read_train(uncut(experiment))))
        say(f"stage {before.name}: finds the part of each image that {experiment.name} sees")
        its = map(before.workspace.fold, range(before.config.folds.parts))
        anew = restart and any(run.drift(before.config) for run in its)
        runner(Work(before, "all", anew, stop, command, where))
        find_crops(experiment)
        say(f"stage {experiment.name}")
    return runner(Work(experiment, folds, restart, stop, command, where))


def _here(work: Work) -> list[Trained]:
    """In this process, one fold after the other."""
    return train(
        work.experiment,
        work.folds,
        restart=work.restart,
        stop=work.stop,
        command=work.command,
    )


def _on_devices(work: Work) -> list[Trained]:
    """One process per device of this machine."""
    slots = _slots(work)
    order = order_of(work.experiment, work.command, among=len(slots))
    return _sent(work, lambda folds, stop: train_on_devices(slots, order, folds, stop))


def _together(work: Work) -> list[Trained]:
    """Each fold on all devices at once, by torchrun."""
    slots, order = _slots(work), order_of(work.experiment, work.command)
    return _sent(work, lambda folds, stop: train_together(slots, order, folds, stop))


def _on_ray(work: Work) -> list[Trained]:
    """A task per fold on a Ray cluster."""
    order = order_of(work.experiment, work.command, absolute=True)
    options = work.where.options
    return _sent(work, lambda folds, stop: train_on_ray(order, folds, stop, options))


def _on_slurm(work: Work) -> list[Trained]:
    """A job per fold in an array of SLURM."""
    order = order_of(work.experiment, work.command, absolute=True)
    logs, options = work.experiment.workspace.run / "slurm", work.where.options
    return _sent(work, lambda folds, stop: train_on_slurm(order, folds, stop, logs, options))


def _slots(work: Work) -> list[Slot]:
    return parse_devices(work.where.devices or "auto", work.experiment.config.train.device)


def _sent(work: Work, send: Callable[[Sequence[int], Stop], Failed]) -> list[Trained]:
    """Let `send` train the folds that are not finished; the packs are made here, before.

    A fold that fails keeps no other one from its end; its error is raised after that.
    """
    trainer, runs = prepare(
        work.experiment, work.folds, restart=work.restart, stop=work.stop, command=work.command
    )
    claimed = {k: trainer.claim(k, run, restart=work.restart) for k, run in runs.items()}
    missing = [fold for fold, found in claimed.items() if found is None]
    if missing:
        trainer.open_pack()
        failed = send(missing, trainer.stop)
        for fold, problem in failed[1:]:
            say(f"fold {fold}: {problem}")
        if failed:
            raise failed[0][1]
    return [found or trainer.trained(k, runs[k]) for k, found in claimed.items()]


# name -> what trains the folds of a Work
RUNNERS: dict[str, Callable[[Work], list[Trained]]] = {
    "local": _here,
    "devices": _on_devices,
    "together": _together,
    "ray": _on_ray,
    "slurm": _on_slurm,
}
