"""Resuming a fold from its last checkpoint, and refusing one that does not belong to it."""

from __future__ import annotations

from comp.config.workspace import refuse_changes
from comp.core import files
from comp.core.errors import RunError
from comp.core.footer import read_place
from comp.core.progress import say
from comp.core.provenance import versions
from comp.data.cache.image_range import refuse_other_range
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.checkpoint import Saved
from comp.train.hardware.choice import batched
from comp.train.job import Job
from comp.train.optim import state_to_come
from comp.train.train_state import TrainState, new_state, place_text


def open_state(job: Job, steps: int, micro_batch: int) -> TrainState:
    """The state of a fold: resumed from its last checkpoint, or new.

    steps: updates per epoch. micro_batch: images on the device at once. Raises what `load_last`,
    `new_state` and `require_space` raise, and RunError for a checkpoint of another fold or plan.
    """
    saved, damaged = checkpoint.load_last(job.run)
    state = new_state(job, steps, micro_batch, empty=saved is not None)
    if saved is None:
        coming = sum(state_to_come(state.optimizer, job.config.train))
        most = job.config.train.top_k
        checkpoint.require_space(state.saved(), job.run, fresh=True, top=most, to_come=coming)
    else:
        _resume(job, state, saved, damaged)
    return state


def _resume(job: Job, state: TrainState, saved: Saved, damaged: list[str]) -> None:
    _refuse_foreign(job, saved)
    if saved["best"] is not None:
        _check_best(job)
    before, epochs = saved["config"]["train"]["epochs"], job.config.train.epochs
    state.restore(saved, same_epochs=before == epochs)
    state.net.mean, state.net.std = tuple(saved["mean"]), tuple(saved["std"])
    for line in damaged:
        say(f"{job.name}: {line}; resuming from the one before it, {_lost(job, state)}")
    if damaged and job.world.lead:
        files.remove(job.run.last)  # else the next save would put it in the place of the whole one
    checkpoint.require_space(state.saved(), job.run, fresh=False)
    _say_resumed(job, state)
    if before != epochs:
        say(f"{job.name}: {before} -> {epochs} epochs; the schedule is that of {epochs}")
    then, now = saved.get("precision"), job.device.precision
    if then not in (None, now):
        say(f"{job.name}: precision was {then} and is {now}")
    _note_backend(job, saved)
    many, size = saved.get("world", 1), job.world.size
    if many != size:
        say(
            f"{job.name}: trained by {many} processes before, now by {size}: the batches are the "
            "same, dropout and rounding are not"
        )
    old, new = saved["versions"], versions()
    for name in new:
        if old.get(name, new[name]) != new[name]:
            say(f"{job.name}: {name} was {old[name]} and is {new[name]}")


def _note_backend(job: Job, saved: Saved) -> None:
    """Say where another backend augments now: its images are the same within a few levels."""
    names = {True: "device", False: "cpu"}
    then, now = bool(saved.get("batched")), batched(job.config, job.device)
    if then != now:
        say(f"{job.name}: images were augmented by the {names[then]}, now by the {names[now]}")


def _say_resumed(job: Job, state: TrainState) -> None:
    over = state.epoch >= job.config.train.epochs
    where = f"after epoch {state.epoch}" if over else place_text(state.epoch, state.step)
    line = f"{job.name}: resumed {where}, lr {state.current_lr():.3g}"
    if state.best is not None:
        best = state.best
        line += f", best {best[job.metric.name]:.4f} (epoch {best['epoch'] + 1})"
    say(line)


def _lost(job: Job, state: TrainState) -> str:
    """Where the fold resumes, and what the newest checkpoint held beyond it, if that is known."""
    place, now = read_place(job.run.last), (state.epoch, state.step)
    if place is None or place <= now:
        return place_text(*now)
    return f"{place_text(*now)}; lost: up to {place_text(*place)}"


def _check_best(job: Job) -> None:
    try:
        checkpoint.check(job.run.best)
    except RunError as problem:
        raise RunError(
            f"{problem}\nIts weights are in no other file. Restore it from a backup, or start the "
            "fold over with `comp train --restart`."
        ) from problem


def _refuse_foreign(job: Job, saved: Saved) -> None:
    """RunError when a checkpoint is of another fold, plan, config or of other images."""
    found = (saved.get("plan"), saved.get("fold"))
    if found != (job.plan, job.fold):
        raise RunError(
            f"{job.run.last}: made for fold {found[1]} of plan {str(found[0])[:8]}, this is fold "
            f"{job.fold} of plan {job.plan[:8]}. Start the fold over with `comp train --restart`, "
            "or bring the old plan back."
        )
    refuse_changes(str(job.run.last), saved["config"], job.config)
    refuse_other_range(job.run.last, saved.get("range"), job.span)
    pairs = [(saved["content"], job.content), (saved.get("files", ""), job.files)]
    for then, now in pairs:
        if "" not in (then, now) and then != now:
            raise RunError(
                f"{job.run.last}: trained on other image files ({then[:8]}, now {now[:8]}): some "
                "were added, removed or replaced since. Bring the old ones back, or start the fold "
                "over with `comp train --restart`."
            )
    if saved.get("sources", "") != job.sources:
        raise RunError(
            f"{job.run.last}: trained on other extra images, pseudo-labels or another teacher: "
            "their files have changed since. Bring the old ones back, or start the fold over with "
            "`comp train --restart`."
        )
