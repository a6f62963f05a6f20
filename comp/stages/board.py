"""`comp board`: all runs and ensembles side by side, and the leaderboard's word on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.plugins import load_plugins
from comp.config.workspace import Workspace
from comp.core import checksums, files
from comp.core.errors import CheckError, CompError, RunError, SubmissionError, UsageError, pick
from comp.data.folds.plan import FoldPlan
from comp.data.folds.plan_file import load_plan
from comp.data.index.index import NOBODY_SAID
from comp.ensemble.compare import judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.inference.predictions import Predictions, join
from comp.stages.ensembling.members import run_config
from comp.stages.submission import FOLDER, find
from comp.submission.names import base_name, manifest_path, written_in
from comp.submission.write import one_writer
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

# In a folder of its own: no name of a submission can be this path
_SCORES = Path("leaderboard", "scores.json")
_OLD_SCORES = "scores.json"  # where version 0.1.0 kept them


@dataclass(frozen=True)
class BoardEntry:
    """One run or submission.

    `kind`             "run" or "submission"
    `raw, honest`      out of fold; NaN where unknown
    `folds`            mean of the best epochs of the finished folds (runs only), NaN elsewhere
    `public, private`  leaderboard scores that were entered; NaN where there are none
    `note`             what to know of it
    """

    name: str
    kind: str
    raw: float
    honest: float
    low: float
    high: float
    folds: float
    public: float
    private: float
    note: str


@dataclass(frozen=True)
class BoardGroup:
    """Entries that can be compared: the same metric, on the same images in the same folds."""

    metric: str
    greater_is_better: bool
    plan: str
    entries: tuple[BoardEntry, ...]


def read_board(root: Path = Path()) -> list[BoardGroup]:
    """Every run and submission below `root`, in groups that can be compared, the best first.

    Raises UsageError where there are none. What cannot be read is an entry with a note.
    """
    found: dict[tuple[str, str], list[BoardEntry]] = {}
    scores = _scores(root / FOLDER)
    for path in written_in(root / FOLDER):
        key, entry = _submission(path, scores.get(base_name(path), {}))
        found.setdefault(key, []).append(entry)
    for folder in sorted(
        {path.parent.parent for path in (root / "runs").glob("*/fold_*/done.json")}
    ):
        key, entry = _run(folder.name, root)
        found.setdefault(key, []).append(entry)
    if not found:
        raise UsageError("nothing to show: no finished fold in runs/, nothing in submissions/")
    return [_group(key, entries) for key, entries in sorted(found.items())]


def _group(key: tuple[str, str], entries: list[BoardEntry]) -> BoardGroup:
    up = key[0] not in METRICS or METRICS[key[0]].greater_is_better

    def rank(entry: BoardEntry) -> tuple[bool, float, str]:
        value = entry.folds if math.isnan(entry.honest) else entry.honest
        return math.isnan(value), -value if up else value, entry.name

    return BoardGroup(key[0], up, key[1], tuple(sorted(entries, key=rank)))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _submission(path: Path, entered: dict[str, Any]) -> tuple[tuple[str, str], BoardEntry]:
    digest = checksums.digest_file(path)
    stale = bool(entered) and entered.get("sha256") != digest
    note = "leaderboard scores are of an older file" if stale else ""
    public, private = _number(entered.get("public")), _number(entered.get("private"))
    try:
        manifest = files.read_json(manifest_path(path), SubmissionError)
        if manifest["file"] != path.name:
            raise KeyError(manifest["file"])  # it is of another form of the same name
        values = {k: _number(v) for k, v in manifest["blend"]["scores"].items()}
        key = str(manifest["metric"]), str(manifest["plan"])
        if manifest["covered"] < manifest["of"]:
            note = f"partial: {manifest['covered']} of {manifest['of']} images. {note}".strip()
        if manifest.get("prior"):
            note = f"at another class balance (ensemble.prior). {note}".strip()
    except (SubmissionError, KeyError, TypeError):
        values, key, note = {}, ("unknown", "unknown"), f"no manifest. {note}".strip()
    raw, honest, low, high = (
        values.get(part, float("nan")) for part in ("raw", "honest", "low", "high")
    )
    return key, BoardEntry(
        base_name(path), "submission", raw, honest, low, high, float("nan"), public, private, note
    )


def _run(name: str, root: Path) -> tuple[tuple[str, str], BoardEntry]:
    """The scores of a run by itself: from its validation predictions, else from its best epochs."""
    nan = float("nan")
    done = sorted((root / "runs" / name).glob("fold_*/done.json"))
    manifests = [files.read_json(path, RunError) for path in done]
    plan = str(manifests[0].get("plan"))
    metric = "unknown"
    try:
        config = run_config(name, root / "runs")
        metric = config.metric
        bests = [_number(manifest["best"].get(config.metric)) for manifest in manifests]
        folds = float(np.mean(bests))
        raw, honest, low, high, note = _judge(name, root, plan)
    except (CompError, KeyError) as problem:
        note = " ".join(str(problem).split())[:100]
        return (metric, plan), BoardEntry(name, "run", nan, nan, nan, nan, nan, nan, nan, note)
    return (metric, plan), BoardEntry(name, "run", raw, honest, low, high, folds, nan, nan, note)


def _judge(name: str, root: Path, plan_of_run: str) -> tuple[float, float, float, float, str]:
    config, nan = load_plugins(run_config(name, root / "runs"), root), float("nan")
    paths = Workspace(name, root, config.folds.plan)
    plan = load_plan(paths.plan_csv, paths.plan_json)
    if plan.fingerprint != plan_of_run:
        return nan, nan, nan, nan, "its plan is no longer there"
    folders = [paths.fold(number).valid for number in range(plan.count)]
    if not all((folder / "manifest.json").is_file() for folder in folders):
        return nan, nan, nan, nan, "not all folds are predicted (`comp predict`)"
    task, metric = pick(TASKS, config.task, "task"), pick(METRICS, config.metric, "metric")
    if task.spatial:
        return nan, nan, nan, nan, "masks are scored by `comp ensemble`: see its submission"
    oof = join([Predictions.load(folder) for folder in folders]).align(plan.ids)
    target = _target(plan, task.target_ndim)
    evidence = TableEvidence(
        task,
        metric,
        target,
        plan.fold,
        (np.asarray(oof.probs),),
        len(plan.classes),
        groups=plan.groups,
    )
    fitting = Fitting(config.ensemble.tune, config.seed)
    row = judge_row(evidence, VOTES["soft"], "equal", fitting)
    scores = row.scores
    return scores.raw, scores.honest, scores.low, scores.high, ""


def _target(plan: FoldPlan, ndim: int) -> np.ndarray[Any, Any]:
    """The labels that the plan has kept as text, as numbers."""
    place = {name: number for number, name in enumerate(plan.classes)}
    if ndim == 1:
        return np.array([place[label] for label in plan.labels], dtype=np.int64)
    target = np.zeros((len(plan.labels), len(place)), dtype=np.int64)
    for row, label in enumerate(plan.labels):
        for name in filter(None, label.split("|")):
            unknown = name not in place
            target[row, place[name.removesuffix(NOBODY_SAID) if unknown else name]] = (
                UNKNOWN if unknown else 1
            )
    return target


def _scores(folder: Path) -> dict[str, Any]:
    path, old = folder / _SCORES, folder / _OLD_SCORES
    if path.is_file():
        return files.read_json(path, CheckError)
    found = files.read_json(old, CheckError) if old.is_file() else {}
    return {} if "file" in found else found  # else it is the manifest of a submission `scores`


def enter_score(name: str, value: float, *, private: bool, root: Path = Path()) -> Path:
    """Keep a leaderboard score of a submission, with the SHA-256 of the file that it is for.

    Scores of an older file of that name are dropped. Raises UsageError for no such submission and
    for what is no number.
    """
    if not math.isfinite(value):
        raise UsageError(f"{value}: a score is a finite number")
    path = find(name, root)
    out, place = path.parent / _SCORES, "private" if private else "public"
    with one_writer(path.parent):
        digest = checksums.digest_file(path)
        known = _scores(path.parent)
        entry = known.get(base_name(path), {})
        entry = entry if entry.get("sha256") == digest else {}
        known[base_name(path)] = {**entry, "sha256": digest, place: value}
        files.write_json(out, dict(sorted(known.items())))
    return out
