"""One fold of a probe: its strength cross-fitted on the training rows, then fitted on all of them.

The validation part is scored at the end and chooses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from comp.core import checksums, files, rng
from comp.core.errors import RunError, pick, reason
from comp.core.progress import say
from comp.core.provenance import versions
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.checkpoint import Saved
from comp.train.checkpoints.saving import origin
from comp.train.job import Job
from comp.train.logging import history_csv
from comp.train.probes.kinds import PROBES, Probe, Rows
from comp.train.sessions import note_session
from comp.train.train_state import loss_of

Array = np.ndarray[Any, Any]

_WORSE = 2  # strengths in a row that are worse than the best, after which the search is over
_PARTS = 5  # of the training rows, where the plan has no two other folds


def train_probe(
    job: Job,
    features: Array,
    parts: Array,
    weights: str,
    keep: Callable[[Array, Array, str], None],
) -> dict[str, Any]:
    """Fit the probe of one fold; what `done.json` holds.

    features: (N, D) of the whole index. parts: (n,) numbers of the training rows; a strength is
    judged on each part by what was fitted on the others (the plan's other folds, so that groups
    stay together). weights: a digest of the network that made the features. keep: gets the rows of
    the parts, their probabilities by what was fitted on the other parts at the strength that was
    taken, and the digest of the fitted probe's checkpoint.
    Raises Interrupted and OutOfTime when it is time to stop; the fold then begins again.
    """
    started = time.monotonic()
    job.run.path.mkdir(parents=True, exist_ok=True)
    note_session(job.run, 0, 0, job.device.describe(), command=job.command, workspace=job.workspace)
    probe = pick(PROBES, str(job.config.model.probe), "model.probe")
    with job.stop.at_a_step():
        place, costs, held, inner = _choose(job, probe, features, parts)
        module = _fitted(probe, _rows(job, features, job.train_rows), place)
    row = _judged(job, module, features)
    strength = probe.strengths[place]
    row = {"epoch": 0, "lr": 0.0, **row, "strength": strength}
    line = (
        f"{job.name}  {job.config.model.probe} {probe.what} {strength:g}  "
        f"loss {row['train_loss']:.4f}  valid {row['valid_loss']:.4f}  "
        f"{job.metric.name} {row[job.metric.name]:.4f}  {time.monotonic() - started:.1f} s"
    )
    say(line)
    files.append_line(job.run.log, line)
    about = {"strength": strength, "costs": costs, "features": weights}
    return _finish(job, module, row, about, lambda digest: keep(held, inner, digest))


def inner_parts(fold: Array, groups: Sequence[str] | None, seed: int, number: int) -> Array:
    """(n,) the part of each training row: its fold where there are two or more, else whole groups
    (or rows) dealt out into five. fold: (n,) numbers, -1 for rows that are in none."""
    there = np.unique(fold[fold >= 0])
    if len(there) > 1:
        return np.asarray(fold)
    names = np.arange(len(fold)) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = rng.generator(seed, "probe parts", number).permutation(int(names.max()) + 1)
    return np.asarray(order[names] % _PARTS)


def load_probe(saved: Saved, kind: str) -> nn.Module:
    """The module of a checkpoint of a probe. RunError when it is of another kind."""
    state = saved["model"]
    try:
        module = pick(PROBES, kind, "model.probe").empty(state)
        module.load_state_dict(state)
    except (RuntimeError, KeyError) as problem:
        raise RunError(
            f"the checkpoint of fold {saved.get('fold')} is no probe {kind!r} ({reason(problem)})"
        ) from problem
    return module.eval()


def _rows(job: Job, features: Array, rows: Array, *draw: int | str) -> Rows:
    device, model = job.device.torch_device, job.config.model
    return Rows(
        torch.from_numpy(np.array(features[rows], dtype=np.float32)).to(device),
        torch.from_numpy(job.target[rows]).to(device),
        job.task,
        job.columns,
        loss_of(job),
        model.hidden,
        model.drop_rate,
        (job.config.seed, "probe", job.fold, *draw),
    )


def _choose(
    job: Job, probe: Probe, features: Array, parts: Array
) -> tuple[int, list[float | None], Array, Array]:
    """The place of the strength whose mean loss on the held-out parts is the lowest, and the loss
    of each; the rows of all parts, and their probabilities (n, C) at that strength. It is over when
    two in a row were worse than the best: the others were stronger still.
    """
    held, paths, rows = [], [], []
    for number in (int(n) for n in np.unique(parts) if n >= 0):
        inner = job.train_rows[parts != number]
        rows.append(job.train_rows[parts == number])
        held.append(_rows(job, features, rows[-1]))
        paths.append(probe.path(_rows(job, features, inner, number), probe.strengths))
    costs: list[float] = []
    best = np.empty((0, job.columns), np.float32)
    for modules in zip(*paths, strict=True):
        if job.stop.requested:
            job.stop.leave(f"{job.name} while its probe is cross-fitted")
        found = [_asked(job, *pair) for pair in zip(modules, held, strict=True)]
        sums = [cost * len(probs) for cost, probs in found]
        costs.append(sum(sums) / sum(len(part) for part in rows))
        if int(np.argmin(costs)) == len(costs) - 1:
            best = np.concatenate([probs for _, probs in found])
        elif len(costs) - 1 - int(np.argmin(costs)) >= _WORSE:
            break
    told = [cost if math.isfinite(cost) else None for cost in costs]
    return int(np.argmin(costs)), told, np.concatenate(rows), best


@torch.inference_mode()
def _asked(job: Job, module: nn.Module, rows: Rows) -> tuple[float, Array]:
    """The loss of a probe on some rows, infinity where it is not finite; its probabilities."""
    logits = module(rows.features)
    found = float(rows.cost(logits, rows.target))
    probs = job.task.link.probs(logits).cpu().numpy()
    return found if math.isfinite(found) else math.inf, probs


def _fitted(probe: Probe, rows: Rows, place: int) -> nn.Module:
    """The module at one strength, fitted on all rows."""
    module = nn.Module()
    for found in probe.path(rows, probe.strengths[: place + 1]):
        module = found
    return module


@torch.inference_mode()
def _judged(job: Job, module: nn.Module, features: Array) -> dict[str, float]:
    """The losses, and the score on the validation part with the neutral rule."""
    train, valid = (_rows(job, features, rows) for rows in (job.train_rows, job.valid_rows))
    logits = module(valid.features)
    probs = job.task.link.probs(logits).cpu().numpy()
    scored = probs if job.metric.wants == "probs" else job.task.decide(probs)
    return {
        "train_loss": float(train.cost(module(train.features), train.target)),
        "valid_loss": float(valid.cost(logits, valid.target)),
        job.metric.name: job.score(job.valid_rows, scored),
    }


def _finish(
    job: Job,
    module: nn.Module,
    row: dict[str, float],
    about: dict[str, Any],
    keep: Callable[[str], None],
) -> dict[str, Any]:
    """Write the checkpoints, the history, what `keep` writes, and last the manifest."""
    saved = {
        "model": module.state_dict(),
        "best": row,
        "history": [row],
        "epoch": 1,
        "step": 0,
        "probe": job.config.model.probe,
        **about,
        **origin(job, (), ()),
    }
    checkpoint.save(saved, job.run.last)
    checkpoint.save(saved, job.run.best)
    files.write_text(job.run.history, history_csv([{**row, "best": 1}]))
    digest = checksums.digest_file(job.run.best)
    keep(digest)
    manifest = {
        "fold": job.fold,
        "plan": job.plan,
        "images": job.files,
        "epochs": 1,
        "early": False,
        "metric": job.metric.name,
        "best": {name: value if math.isfinite(value) else None for name, value in row.items()},
        "ties": [],
        "average": None,
        "skipped": 0,
        "best_sha256": digest,
        "last_sha256": checksums.digest_file(job.run.last),
        "average_sha256": None,
        **about,
        "versions": versions(),
    }
    files.write_json(job.run.done, manifest)
    return manifest
