"""One config after another on the folds of one plan, each in a folder of its own."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from typing import Any

from comp.config.loading import make_config, plain
from comp.config.schema import Config
from comp.core import files
from comp.core.errors import ModelError, RunError, TrainError
from comp.core.progress import quietly
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.search.budget import Speed
from comp.stages.train import open_job, train
from comp.train.batches import make_loader
from comp.train.hardware.copies import on_device
from comp.train.hardware.micro import most_images
from comp.train.stop import Stop
from comp.train.train_state import new_state
from comp.train.update import settle, update
from comp.train.validate import validate

_WARM, _LEAST, _MOST = 2, 4, 30  # batches: not timed, timed at least, timed at most


@dataclass(frozen=True)
class Outcome:
    """What a trial came to: score and validation loss of each fold, best epochs; seconds.

    `failed`  why it could not be trained; "" where it could
    """

    scores: tuple[float, ...]
    losses: tuple[float, ...]
    seconds: float
    failed: str = ""


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """A config with values (key path -> value) laid over it; ConfigError for what is not allowed.

    What epochs limit is brought within the new number of epochs: warm-up, cycles, frozen epochs.
    """
    tree = plain(config)
    if "lr" not in config.train.model_fields_set:  # it follows from how the network starts
        del tree["train"]["lr"]
    for path, value in settings.items():
        *above, key = path.split(".")
        place = tree
        for part in above:
            place = place[part]
        place[key] = value
    train = tree["train"]
    train["warmup_epochs"] = min(train["warmup_epochs"], max(0, train["epochs"] - 1))
    train["freeze_epochs"] = min(train["freeze_epochs"], max(0, train["epochs"] - 1))
    train["cycles"] = min(train["cycles"], train["epochs"])
    return make_config(tree)


def lay(experiment: Experiment, settings: dict[str, Any], folder: str) -> Experiment:
    """The experiment with other settings on the same plan; its runs go to `runs/<folder>/`."""
    plan = experiment.config.folds.plan or experiment.config.name
    config = with_settings(experiment.config, {**settings, "folds.plan": plan})
    laid = open_experiment(config, experiment.workspace.root)
    return replace(laid, workspace=replace(laid.workspace, name=folder, plan=plan))


def run_trial(experiment: Experiment, folds: str, stop: Stop | None = None) -> Outcome:
    """Train folds, or find them finished. A failure of these settings is an outcome too.

    Raises what `comp.stages.train.train` raises for an interrupt and for the end of the time.
    """
    begin, name = time.monotonic(), experiment.metric.name
    try:
        with quietly(True):
            done = train(experiment, folds, stop=stop)
    except (ModelError, TrainError) as problem:
        return Outcome((), (), time.monotonic() - begin, str(problem).splitlines()[0])
    best = [fold.manifest["best"] for fold in done]
    nan = float("nan")
    scores = tuple(nan if row[name] is None else float(row[name]) for row in best)
    losses = tuple(nan if row["valid_loss"] is None else float(row["valid_loss"]) for row in best)
    return Outcome(scores, losses, time.monotonic() - begin)


def kept_trial(experiment: Experiment, stop: Stop | None = None) -> Outcome:
    """`run_trial` of fold 0, of which only the outcome is kept: a checkpoint of each trial would
    fill the disk. What was tried before is read."""
    path = experiment.workspace.run.with_suffix(".json")
    if path.is_file():
        found = files.read_json(path, RunError)
        return Outcome(
            tuple(found["scores"]), tuple(found["losses"]), found["seconds"], found["failed"]
        )
    outcome = run_trial(experiment, "0", stop)
    files.write_json(path, vars(outcome))
    shutil.rmtree(experiment.workspace.run, ignore_errors=True)
    return outcome


def measure_speed(experiment: Experiment, seconds: float = 5.0) -> Speed:
    """Images per second of training and of validation on fold 0, about `seconds` of each.

    The images are packed first where they are not, which is not counted. Nothing of the fold's run
    is touched. Raises what `train` raises before it trains.
    """
    job = open_job(experiment, 0)
    begin = time.monotonic()
    state = new_state(job, 1, most_images(job.config.train))
    state.net.module.train()
    timed, images, started, start = 0, 0, 0.0, 0.0
    for number, (pixels, target) in enumerate(
        on_device(make_loader(job, job.workers), job.device, 0)
    ):
        if number == 1:
            start = time.monotonic() - begin
        if number == _WARM:
            started = time.monotonic()
        update(job, state, pixels, target)
        settle(job, state)  # waits for the device
        if number >= _WARM:
            timed, images = timed + 1, images + len(pixels)
            spent = time.monotonic() - started
            if timed >= _MOST or (timed >= _LEAST and spent > seconds):
                break
    if not timed:  # fewer batches than are left out: the whole epoch counts
        images, started, start = len(job.train_rows), begin, 0.0
    train_speed = images / (time.monotonic() - started)
    few = replace(job, valid_rows=job.valid_rows[: max(8, int(train_speed * seconds))])
    begin = time.monotonic()
    validate(few, state, state.eval_net, lambda: None)
    valid_speed = len(few.valid_rows) / (time.monotonic() - begin)
    return Speed(train_speed, valid_speed, start)
