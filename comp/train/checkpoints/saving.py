"""Which states of a fold are written to which checkpoint, and what each says of its origin."""

from __future__ import annotations

import time
from collections.abc import Sequence

from comp.config.loading import plain
from comp.core.errors import RunError
from comp.core.provenance import versions
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.checkpoint import Saved
from comp.train.job import Job
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
        "range": None if job.span is None else list(job.span),
        "mean": list(mean),
        "std": list(std),
        "versions": versions(),
    }


def _origin(job: Job, state: TrainState) -> Saved:
    return origin(job, state.net.mean, state.net.std)


def weights_only(job: Job, state: TrainState) -> Saved:
    """What predictions are made from: the weights that were validated, and their origin."""
    weights = state.eval_net.module.state_dict()
    return {"model": weights, "best": state.best, **_origin(job, state)}


def save_best(job: Job, state: TrainState) -> None:
    """Write the weights that were validated as `best.pt`."""
    checkpoint.save(weights_only(job, state), job.run.best)


def save_last(job: Job, state: TrainState) -> None:
    """Write the whole state as `last.pt`; raises what `checkpoint.save` raises."""
    started = time.monotonic()
    checkpoint.save_last({**state.saved(), **_origin(job, state)}, job.run)
    state.saved_at = time.monotonic()
    job.stop.longest_save = max(job.stop.longest_save, state.saved_at - started)


def check_best(job: Job, state: TrainState) -> None:
    """RunError when `best.pt` is not what this fold saved as its best."""
    saved = checkpoint.load(job.run.best)
    epochs = [(best or {}).get("epoch") for best in (saved.get("best"), state.best)]
    if (saved.get("plan"), saved.get("fold"), epochs[0]) != (job.plan, job.fold, epochs[1]):
        raise RunError(
            f"{job.run.best}: of another fold, plan or epoch than this one. Restore the right file "
            "from a backup, or start the fold over with `comp train --restart`."
        )
