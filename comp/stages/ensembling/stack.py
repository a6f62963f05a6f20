"""`comp stack`: a second-level model over the out-of-fold answers of runs.

It writes stacks/<name>.csv, out-of-fold and test probabilities that `comp ensemble --add` takes as
a member of its own, and beside it stacks/<name>.json, what they were made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.values import file_name
from comp.core import checksums, files
from comp.core.errors import ConfigError, DataError, PredictionsError, UsageError, first, pick
from comp.core.provenance import versions
from comp.data.images.header import image_size
from comp.data.index.index import Index
from comp.data.index.tables import write_table
from comp.data.labels.cells import cells_of
from comp.ensemble.compare import BlendRow, best_row, compare, judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.stacking.inputs import as_logits
from comp.ensemble.stacking.models import SECONDS
from comp.ensemble.stacking.nested import Level, stack
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.stages.ensembling.kinds import judged_models, make_evidence
from comp.stages.ensembling.members import Ground, Model
from comp.stages.ensembling.outside import gather
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train

Array = np.ndarray[Any, Any]

BEST = "best"  # every kind; the one with the best honest score is written
FACTS = ("width", "height", "bytes")


@dataclass(frozen=True)
class Stack:
    """What was written, and what each kind scored.

    `path`    the table for `comp ensemble --add`
    `kind`    which kind is in it
    `rows`    kind -> its row: scores with an interval, out of fold
    `blend`   the best blend of the same runs, for comparison
    `gains`   whether the lower end of the interval of the kind lies above the honest score of the
              blend: less may be chance
    """

    path: Path
    kind: str
    metric: str
    rows: dict[str, BlendRow]
    strengths: dict[str, float]
    blend: BlendRow
    gains: bool


def stack_runs(
    experiment: Experiment,
    runs: Sequence[str],
    *,
    kind: str = BEST,
    facts: bool = False,
    out: str | None = None,
    added: Sequence[Path] = (),
) -> Stack:
    """Fit second-level models over the answers of runs, nested by fold, and write the table.

    kind: one of SECONDS, or `best`, which compares logistic, ridge and mlp. facts: whether they see
    width, height and bytes of the images too; `data.tabular` names columns that they see.
    Raises what `comp ensemble` raises for its members, and ConfigError for masks.
    """
    if experiment.task.spatial or experiment.task.link.measures:
        raise ConfigError("comp stack: a second level is for classification alone")
    if experiment.config.data.new is not None:
        raise ConfigError("comp stack: not with data.new, whose classes differ from fold to fold")
    if kind != BEST:
        pick(SECONDS, kind, "kind of second level (--kind)")
    index = read_train(experiment)
    ground = Ground(
        experiment, index, read_test_images(experiment, index.classes), read_plan(experiment, index)
    )
    models = gather(ground, tuple(runs) or (experiment.name,), added, None)
    evidence = make_evidence(ground, models)
    assert isinstance(evidence, TableEvidence), "spatial tasks are refused above"
    level, answers, cells = _level(ground, models, facts=facts)
    fitting = Fitting(experiment.config.ensemble.tune, experiment.config.seed)
    kinds = [k for k in SECONDS if k != "lightgbm"] if kind == BEST else [kind]
    made, rows = {}, {}
    for name in kinds:
        made[name] = stack(level, SECONDS[name], answers, cells)
        own = _evidence_of(evidence, made[name].oof)
        rows[name] = judge_row(own, VOTES["soft"], "equal", fitting)
    best = best_row(experiment.metric, list(rows.values()))
    chosen = next(name for name in kinds if rows[name] is best)
    votes = "soft", "equal"
    blend = best_row(experiment.metric, compare(evidence, votes, fitting, partial=False))
    path = table_path(experiment, out, (f"{'+'.join(runs) or experiment.name}_stack",))
    part = judged_models(ground, models)[0]
    write_member(path, ground, part, made[chosen].oof, made[chosen].test, chosen, models)
    edge = best.scores.low if experiment.metric.greater_is_better else best.scores.high
    return Stack(
        path=path,
        kind=chosen,
        metric=experiment.metric.name,
        rows=rows,
        strengths={name: found.strength for name, found in made.items()},
        blend=blend,
        gains=bool(experiment.metric.better(edge, blend.scores.honest)),
    )


def _evidence_of(evidence: TableEvidence, oof: Array) -> TableEvidence:
    return replace(evidence, probs=(oof,), own_folds=())


def _level(
    ground: Ground, models: Sequence[Model], *, facts: bool
) -> tuple[Level, Array, list[list[str]]]:
    """The second level of the judged images; the answers and columns of the test images."""
    lacking = [model.name for model in models if model.oof is None]
    if lacking:
        raise ConfigError(f"comp stack: {first(lacking)} has no out-of-fold rows to learn from")
    part, fold, oofs = judged_models(ground, models)
    link, task = ground.experiment.task.link, ground.experiment.task
    train = np.concatenate([as_logits(oof.align(part.ids).probs, link) for oof in oofs], axis=1)
    means = [
        np.mean([np.asarray(test.align(ground.test.ids).probs) for test in model.tests], axis=0)
        for model in models
    ]
    answers = np.concatenate([as_logits(mean, link) for mean in means], axis=1)
    cells = [*_columns(ground.experiment, part, "train"), *(_facts(part) if facts else [])]
    others = _columns(ground.experiment, ground.test, "test")
    others += _facts(ground.test) if facts else []
    columns, seed = task.columns(len(part.classes)), ground.experiment.config.seed
    return Level(task, columns, train, cells, part.labels, fold, seed), answers, others


def _facts(index: Index) -> list[list[str]]:
    """Width, height and bytes of each image, as text."""
    sizes = [image_size(path) for path in index.paths]
    return [
        [str(width) for _, width in sizes],
        [str(height) for height, _ in sizes],
        [str(files.file_stat(path)[0]) for path in index.paths],
    ]


def _columns(experiment: Experiment, index: Index, part: str) -> list[list[str]]:
    """The cells of `data.tabular` for these images, by id; DataError where a column or a row is
    missing."""
    data = experiment.data
    if not data.tabular:
        return []
    name = data.train_csv if part == "train" else data.test_csv or data.sample_submission
    if name is None:
        raise DataError(
            "data.tabular: no table of the test images; name it with data.test_csv (its columns: "
            f"{data.id}, {', '.join(data.tabular)})"
        )
    key = "data.train_csv" if part == "train" else "data.test_csv"
    return cells_of(data, name, data.tabular, index.ids, ("data.tabular", key))


def table_path(experiment: Experiment, out: str | None, runs: Sequence[str]) -> Path:
    """Where the table of a member goes: `out`, or what it is made of."""
    name = out or "+".join(runs)[:100]
    try:
        name = str(file_name(name.removesuffix(".csv")))
    except ValueError as problem:
        raise UsageError(f"--out {out}: {problem}. Write a name without folders") from problem
    return experiment.workspace.root / "stacks" / f"{name}.csv"


def write_member(
    path: Path,
    ground: Ground,
    part: Index,
    oof: Array,
    test: Array,
    kind: str,
    models: Sequence[Model],
) -> None:
    """Write the table of both parts, a member for `--add`, then what it was made from.

    part: the training images, in the order of the rows of `oof`. Raises PredictionsError where some
    have no row.
    """
    task, data = ground.experiment.task, ground.experiment.data
    if len(part) != len(ground.index):
        raise PredictionsError(
            f"comp stack: {len(ground.index) - len(part)} training images have no out-of-fold row"
        )
    names = task.column_names(part.classes)[-oof.shape[1] :]
    rows = [
        [name, which, *(f"{value:.8g}" for value in values)]
        for which, ids, probs in (("valid", part.ids, oof), ("test", ground.test.ids, test))
        for name, values in zip(ids, probs, strict=True)
    ]
    write_table(path, (data.id, "part", *names), rows)
    members = [
        {"model": model.name, **{k: v for k, v in test.source.items() if k != "path"}}
        for model in models
        for test in model.tests
    ]
    manifest = {
        "kind": kind,
        "plan": ground.plan.fingerprint,
        "members": members,
        "tabular": list(data.tabular),
        "sha256": checksums.digest_file(path),
        "versions": versions(),
    }
    files.write_json(path.with_suffix(".json"), manifest)
