"""`comp board`: all runs and ensembles side by side, and the leaderboard's word on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.metric_file import is_file
from comp.config.plugins import load_plugins, loaded_files
from comp.config.runs import run_config
from comp.config.schema import Config
from comp.config.workspace import Workspace
from comp.core import checksums, files
from comp.core.errors import (
    CheckError,
    CompError,
    RunError,
    SubmissionError,
    UsageError,
    reason,
)
from comp.core.progress import say
from comp.data.folds.plan import FoldPlan
from comp.data.folds.plan_file import load_plan
from comp.data.index.index import NOBODY_SAID
from comp.ensemble.compare import judge_row
from comp.ensemble.cross_fit import few_units_text, units_of
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.inference.predictions import Predictions, join
from comp.stages.submission import FOLDER, find
from comp.submission.names import base_name, manifest_path, written_in
from comp.submission.write import one_writer
from comp.tasks.counts import UNKNOWN
from comp.tasks.metrics import METRICS
from comp.tasks.of_config import task_of
from comp.tasks.official.of_config import metric_of

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


def read_board(root: Path = Path(), *, plugins: bool = False) -> list[BoardGroup]:
    """Every run and submission below `root`, in groups that can be compared, the best first.

    plugins: run the plugin files that the configs of runs name. Without, runs that need one which
    this process has not run are not scored: nobody has named them, and they may be a stranger's.
    Raises UsageError where there are none. What cannot be read is an entry with a note.
    """
    found: dict[tuple[str, str], list[BoardEntry]] = {}
    scores = _scores_or_none(root / FOLDER)
    for path in written_in(root / FOLDER):
        key, entry = _submission(path, scores.get(base_name(path)))
        found.setdefault(key, []).append(entry)
    for folder in sorted(
        {path.parent.parent for path in (root / "runs").glob("*/fold_*/done.json")}
    ):
        key, entry = _run(folder.name, root, plugins=plugins)
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


def _unread(problem: Exception) -> str:
    """A note about what could not be read, whatever a damaged file makes its reader raise."""
    text = str(problem) if isinstance(problem, CompError) else f"damaged ({reason(problem)})"
    return " ".join(text.split())[:100]


def _submission(path: Path, entered: Any) -> tuple[tuple[str, str], BoardEntry]:
    nan, key, notes = float("nan"), ("unknown", "unknown"), list[str]()
    values: dict[str, float] = {}
    public, private = nan, nan
    try:
        manifest = files.read_json(manifest_path(path), SubmissionError)
        if manifest["file"] != path.name:
            raise KeyError(manifest["file"])  # it is of another form of the same name
        values = {k: _number(v) for k, v in manifest["blend"]["scores"].items()}
        key = str(manifest["metric"]), str(manifest["plan"])
        if manifest.get("prior"):
            notes.append("at another class balance (ensemble.prior).")
        if manifest["covered"] < manifest["of"]:
            notes.append(f"partial: {manifest['covered']} of {manifest['of']} images.")
    except Exception:  # damaged in whatever way
        values, key, notes = {}, ("unknown", "unknown"), ["no manifest."]
    try:
        if entered:
            public, private = (_number(entered.get(part)) for part in ("public", "private"))
            if entered.get("sha256") != checksums.digest_file(path):
                notes.append("leaderboard scores are of an older file")
    except Exception as problem:
        notes.append(_unread(problem))
    raw, honest, low, high = (values.get(part, nan) for part in ("raw", "honest", "low", "high"))
    name, note = base_name(path), " ".join(notes)
    return key, BoardEntry(name, "submission", raw, honest, low, high, nan, public, private, note)


def _run(name: str, root: Path, *, plugins: bool) -> tuple[tuple[str, str], BoardEntry]:
    """The scores of a run by itself: from its validation predictions, else from its best epochs."""
    nan, metric, plan, folds, notes = float("nan"), "unknown", "unknown", float("nan"), list[str]()
    scores = [nan, nan, nan, nan]
    manifests = []
    for path in sorted((root / "runs" / name).glob("fold_*/done.json")):
        try:
            manifests.append(files.read_json(path, RunError))
        except RunError as problem:
            notes.append(_unread(problem))
    try:
        plan = next((str(manifest.get("plan")) for manifest in manifests), plan)
        config = run_config(name, root / "runs")
        metric = config.metric
        bests = [_number(manifest["best"].get(metric)) for manifest in manifests]
        folds = float(np.mean(bests)) if bests else nan
        if not notes:
            *scores, note = _judge(name, config, root, plan, plugins=plugins)
            notes = [note] if note else []
    except Exception as problem:  # damaged in whatever way
        notes, folds, scores = [*notes, _unread(problem)], nan, [nan, nan, nan, nan]
    raw, honest, low, high = scores
    note = " ".join(notes)
    return (metric, plan), BoardEntry(name, "run", raw, honest, low, high, folds, nan, nan, note)


def _judge(
    name: str, config: Config, root: Path, plan_of_run: str, *, plugins: bool
) -> tuple[float, float, float, float, str]:
    nan = float("nan")
    unknown = {(root / file).resolve() for file in config.plugins} - {*loaded_files()}
    if unknown and not plugins:
        needed = ", ".join(sorted(path.name for path in unknown))
        return nan, nan, nan, nan, f"not scored: it needs {needed}, which `--plugins` runs"
    config = load_plugins(config, root)
    paths = Workspace(name, root, config.folds.plan)
    plan = load_plan(paths.plan_csv, paths.plan_json)
    if plan.fingerprint != plan_of_run:
        return nan, nan, nan, nan, "its plan is no longer there"
    folders = [paths.fold(number).valid for number in range(plan.count)]
    if not all((folder / "manifest.json").is_file() for folder in folders):
        return nan, nan, nan, nan, "not all folds are predicted (`comp predict`)"
    if is_file(config.metric):
        return nan, nan, nan, nan, "a metric file is scored by `comp ensemble`: see its submission"
    task = task_of(config)
    metric = metric_of(config, root, task)
    if task.spatial:
        return nan, nan, nan, nan, "masks are scored by `comp ensemble`: see its submission"
    oof = join([Predictions.load(folder) for folder in folders]).align(plan.ids)
    target = _numbers(plan) if task.link.measures else _target(plan, task.target_ndim)
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
    few = few_units_text(units_of(len(target), plan.groups), plan.groups)
    note = f"interval {few}" if few else ""
    return scores.raw, scores.honest, scores.low, scores.high, note


def _numbers(plan: FoldPlan) -> np.ndarray[Any, Any]:
    return np.array([[float(cell) for cell in label.split("|")] for label in plan.labels])


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


def _scores_or_none(folder: Path) -> dict[str, Any]:
    """The leaderboard scores; where they cannot be read the board is shown without them."""
    try:
        return _scores(folder)
    except CheckError as problem:
        say(f"warning: {problem}; the board is shown without leaderboard scores")
        return {}


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
        entry = known.get(base_name(path))
        entry = entry if isinstance(entry, dict) and entry.get("sha256") == digest else {}
        known[base_name(path)] = {**entry, "sha256": digest, place: value}
        files.write_json(out, dict(sorted(known.items())))
    return out
