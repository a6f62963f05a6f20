"""What `comp ensemble` is to do, what comes of it, and what its manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comp.config.loading import plain
from comp.core.provenance import git_commit, versions
from comp.ensemble.blend import Blend
from comp.ensemble.compare import BlendRow, without_nan
from comp.ensemble.prior import Shift
from comp.stages.ensembling.members import Ground, Model


@dataclass(frozen=True)
class Request:
    """What `comp ensemble` is to do beyond the config.

    `runs`        names of runs; none: that of the config
    `added`       tables of outside predictions
    `partial`     whether folds that are not finished are left out
    `out`         the name of the submission; None: that of the config, or the names of several runs
    `added_kind`  what the tables hold: probs, logits, labels, or auto
    """

    runs: tuple[str, ...] = ()
    added: tuple[Path, ...] = ()
    partial: bool = False
    out: str | None = None
    added_kind: str = "auto"


@dataclass(frozen=True)
class Ensembled:
    """What was written, how it was made, and what to expect of it.

    `rows`        the table of votes and weights; `best` its row with the best honest score
    `covered`     training images that the scores are measured on, `of` all
    `true_score`  the score on the test answers where the config knows them, else None
    `as_test`     the honest score with the weights of `comp check`, under which the training images
                  look like the test images; None where they do so without
    `by_task`     of several tasks: the honest score of each
    `warnings`    what to look at before the file is sent
    """

    path: Path
    manifest: Path
    metric: str
    blend: Blend
    models: tuple[Model, ...]
    table: tuple[BlendRow, ...]
    best: BlendRow
    covered: int
    of: int
    rows: int
    shares: dict[str, tuple[float, float]]
    as_test: float | None
    prior: Shift | None
    true_score: float | None
    warnings: tuple[str, ...]
    by_task: Mapping[str, float] = field(default_factory=dict)


def plain_row(row: BlendRow) -> dict[str, Any]:
    """A row of the table for a manifest."""
    return {
        "vote": row.vote.name,
        "weigher": row.weigher,
        "weights": row.fit.weights.tolist(),
        **without_nan(row.scores),
        "note": row.note,
    }


def manifest_of(
    ground: Ground, blend: Blend, models: Sequence[Model], covered: int
) -> dict[str, Any]:
    """What a submission was made of: members, plan, config, versions, commit.

    covered: how many training images the scores are measured on.
    """
    experiment, plan = ground.experiment, ground.plan
    record = blend.record()
    tests = [(model, test) for model in models for test in model.tests]
    record["members"] = [
        {"run": name, "model": model.name, **{k: v for k, v in test.source.items() if k != "path"}}
        for name, (model, test) in zip(blend.members, tests, strict=True)
    ]
    return {
        "versions": versions(),
        "commit": git_commit(experiment.workspace.root),
        "task": experiment.task.name,
        "metric": experiment.metric.name,
        "plan": plan.fingerprint,
        "index": plan.index_fingerprint,
        "leak": list(plan.leak),
        "covered": covered,
        "of": len(ground.index),
        "blend": record,
        "missing_folds": {model.name: list(model.missing) for model in models if model.missing},
        "plugins": experiment.config.plugins,
        "config": plain(experiment.config),
    }
