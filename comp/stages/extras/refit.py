"""`comp train --refit`: networks trained on all images, for as long as the folds found best.

Nothing validates them: the honest score stays that of the folds. `ensemble.refit: true` lets them
vote beside the folds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comp.config.loading import make_config, plain
from comp.config.schema import Config
from comp.config.workspace import RunDir
from comp.core.errors import ConfigError, RunError, first
from comp.core.progress import say
from comp.data.folds.plan import FoldPlan
from comp.stages.experiment import Experiment, check_names, read_plan, read_train
from comp.stages.train import Trained, Trainer
from comp.train.checkpoints.finished import finished
from comp.train.stop import Stop

_NO_SCORE = ("plateau",)  # schedules that follow the validation score


def refit(
    experiment: Experiment,
    count: int = 1,
    *,
    restart: bool = False,
    stop: Stop | None = None,
    command: str | None = None,
) -> list[Trained]:
    """Train `count` networks on all images, each with other random draws; finished ones are
    skipped, unfinished ones are resumed.

    Their number of epochs is the mean of the folds' best ones, and the schedule is that of so many.
    Raises ConfigError for a schedule that follows the score, RunError while a fold is not finished,
    and what `comp.stages.train.train` raises.
    """
    config = experiment.config
    check_names(experiment)
    if config.model.probe is not None or config.train.subset is not None:
        raise ConfigError("comp train --refit: not for probes and not for train.subset")
    if config.train.sched in _NO_SCORE:
        raise ConfigError(
            f"train.sched: {config.train.sched} follows the validation score, and a refit has "
            "none; the folds must be trained with another schedule first"
        )
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    best = _best_epochs(experiment, plan)
    epochs = round(sum(best) / len(best))
    say(f"refit: {epochs} epochs, the mean of the best ones of the folds ({first(best, 20)})")
    experiment = replace(experiment, config=_with_epochs(config, epochs))
    again = "the same command without --restart" if restart else "the same command"
    stop = Stop(config.train.max_hours, again) if stop is None else stop
    trainer = Trainer(experiment, index, plan, stop, command, everything=True)
    done, runs = [], [experiment.workspace.refit(number) for number in range(count)]
    with trainer.stop.listening(), trainer.drawn(runs):
        for number, run in enumerate(runs):
            trainer.stop.later_epochs = (count - number - 1) * epochs
            done.append(trainer.run(plan.count + number, run, restart=restart))
    return done


def _best_epochs(experiment: Experiment, plan: FoldPlan) -> list[int]:
    """The best epoch of each fold, counted from 1."""
    out = []
    for number in range(plan.count):
        run: RunDir = experiment.workspace.fold(number)
        run.refuse_drift(experiment.config)
        manifest = finished(run, plan.fingerprint, experiment.config.passes)
        if manifest is None:
            raise RunError(
                f"fold {number} is not trained to its end, and the folds say for how many epochs a "
                "refit is trained. Run `comp train` first"
            )
        epoch = manifest["best"].get("epoch")
        out.append(int(manifest["epochs"] if epoch is None else epoch + 1))
    return out


def _with_epochs(config: Config, epochs: int) -> Config:
    """The config of a training of so many epochs, in which what is counted in epochs shrinks with
    them, and nothing waits for a score."""
    train, share = config.train, epochs / config.train.epochs
    sized: dict[str, Any] = {
        "epochs": epochs,
        "warmup_epochs": min(round(train.warmup_epochs * share), epochs - 1),
        "freeze_epochs": min(round(train.freeze_epochs * share), epochs - 1),
        "decay_epochs": max(1, round(train.decay_epochs * share)),
        "milestones": sorted({max(1, round(number * share)) for number in train.milestones}),
        "cycles": min(train.cycles, epochs),
        "patience": None,
        "top_k": 1,
    }
    tree = plain(config)
    tree["train"] |= sized
    tree["predict"] |= {"checkpoint": "last"}
    return make_config(tree)
