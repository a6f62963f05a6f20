"""Which states of a fold are written to which checkpoint, and what each says of its origin."""

from __future__ import annotations

import time
from collections.abc import Sequence

from comp.config.loading import plain
from comp.core import files
from comp.core.errors import RunError
from comp.core.provenance import versions
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.best import keep_top, top_epochs
from comp.train.checkpoints.checkpoint import Saved
from comp.train.hardware.choice import batched
from comp.train.job import Job
from comp.train.logging import history_csv
from comp.train.train_state import TrainState


def origin(job: Job, mean: Sequence[float], std: Sequence[float]) -> Saved:
    """What a checkpoint says of where it is from. mean, std: the normalisation of the network."""
    return {
        "fold": job.fold,
        "plan": job.plan,
        "config": plain(job.config),
        "classes": list(job.classes),
        "content": job.content,
        "files": job.files,
        **({"sources": job.sources} if job.sources else {}),
        "range": None if job.span is None else list(job.span),
        "mean": list(mean),
        "std": list(std),
        "versions": versions(),
        **({"world": job.world.size} if job.world.shared else {}),
    }


def _origin(job: Job, state: TrainState) -> Saved:
    return origin(job, state.net.mean, state.net.std)


def weights_only(job: Job, state: TrainState) -> Saved:
    """What predictions are made from: the weights that were validated, and their origin."""
    weights = state.eval_net.module.state_dict()
    return {"model": weights, "best": state.best, **_origin(job, state)}


def save_best(job: Job, state: TrainState) -> None:
    """Write the weights that were validated as `best.pt`."""
    state.writer.put(lambda saved: checkpoint.save(saved, job.run.best), weights_only(job, state))


def save_top(job: Job, state: TrainState, epoch: int) -> None:
    """Keep the weights of `epoch` where it is among the `train.top_k` best, and remove others."""
    top = top_epochs(state.history, job.config.train.top_k, job.metric)
    saved = weights_only(job, state) if epoch in top else {}
    state.writer.put(lambda saved: keep_top(job.run, top, epoch, lambda: saved), saved)


def save_last(job: Job, state: TrainState) -> None:
    """Write the whole state as `last.pt`; raises what `checkpoint.save` raises."""

    def write(saved: Saved) -> None:
        started = time.monotonic()
        checkpoint.save_last(saved, job.run)
        job.stop.longest_save = max(job.stop.longest_save, time.monotonic() - started)

    own = {"batched": batched(job.config, job.device)}
    state.writer.put(write, {**state.saved(), **own, **_origin(job, state)})
    state.saved_at = time.monotonic()


def is_due(job: Job, state: TrainState) -> bool:
    """Whether the last checkpoint is old enough for another one."""
    minutes = job.config.train.checkpoint_minutes
    return minutes is not None and time.monotonic() - state.saved_at >= 60 * minutes


def save_history(job: Job, state: TrainState) -> None:
    """Write `history.csv`."""
    text = history_csv(state.history)
    state.writer.put(lambda _: files.write_text(job.run.history, text), {})


def check_best(job: Job, state: TrainState) -> None:
    """RunError when `best.pt` is not what this fold saved as its best."""
    saved = checkpoint.load(job.run.best)
    epochs = [(best or {}).get("epoch") for best in (saved.get("best"), state.best)]
    if (saved.get("plan"), saved.get("fold"), epochs[0]) != (job.plan, job.fold, epochs[1]):
        raise RunError(
            f"{job.run.best}: of another fold, plan or epoch than this one. Restore the right file "
            "from a backup, or start the fold over with `comp train --restart`."
        )
