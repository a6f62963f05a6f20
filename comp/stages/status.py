"""`comp status`: how far each fold is, who is at work, what is left, what to type next.

Reads small text files only: it is quick, and it can run beside a training.
"""

from __future__ import annotations

import csv
import re
from dataclasses import asdict, dataclass
from typing import Any

from comp import files, lock
from comp.config import Config
from comp.errors import CompError, RunError
from comp.runs import RunDir, Workspace, workspace_of


@dataclass(frozen=True)
class FoldStatus:
    """One fold: `state` is done, partial, missing or damaged; `held` names who is at work.

    `epochs` are finished ones of `of`, `step` the steps of the next one that are in the last
    checkpoint; `best` is the best score so far; `seconds` the time of the
    last epoch; `predicted` the parts (valid, test) with predictions.
    """

    fold: int
    state: str
    epochs: int
    step: int
    of: int
    best: float | None
    best_epoch: int | None
    seconds: float | None
    held: str | None
    predicted: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """All folds of an experiment, and the next command."""

    name: str
    plan: str | None
    folds: tuple[FoldStatus, ...]
    submission: str | None
    next: str

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the training time that is left, by the slowest fold's last epoch."""
        known = [fold.seconds for fold in self.folds if fold.seconds is not None]
        if not known:
            return None
        return max(known) * sum(fold.of - fold.epochs for fold in self.folds)

    def plain(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {**asdict(self), "seconds_left": self.seconds_left}


def read_status(config: Config) -> Status:
    """What lies on the disk for `config`; never raises for something missing or unfinished."""
    space = workspace_of(config)
    plan = _plan(space)
    count = plan[1] if plan else config.folds.parts
    folds = tuple(_fold(k, space.fold(k), config) for k in range(count))
    submission = space.submission_json
    return Status(
        name=config.name,
        plan=plan[0] if plan else None,
        folds=folds,
        submission=str(space.submission_csv) if submission.is_file() else None,
        next=_next(plan is not None, folds, submission.is_file()),
    )


def _plan(space: Workspace) -> tuple[str, int] | None:
    if not space.plan_json.is_file() or not space.plan_csv.is_file():
        return None
    try:
        manifest = files.read_json(space.plan_json)
        return str(manifest["fingerprint"]), int(manifest["count"])
    except (CompError, KeyError, ValueError):
        return None


def _fold(number: int, run: RunDir, config: Config) -> FoldStatus:
    rows = _history(run)
    best = next((row for row in reversed(rows) if row.get("best") == "1"), None)
    score = None if best is None else float(best[config.metric]) if config.metric in best else None
    held = lock.holder(run.path) if run.path.is_dir() else None
    return FoldStatus(
        fold=number,
        state=_state(run, len(rows), config.train.epochs),
        epochs=len(rows),
        step=_step(run, len(rows)),
        of=max(config.train.epochs, len(rows)),
        best=score if score == score else None,
        best_epoch=None if best is None else int(best["epoch"]),
        seconds=_seconds(run),
        held=None if held is None else f"{held.get('pid', '?')} on {held.get('host', '?')}",
        predicted=tuple(
            folder.name for folder in (run.valid, run.test) if (folder / "manifest.json").is_file()
        ),
    )


def _state(run: RunDir, epochs: int, wanted: int) -> str:
    if run.done.is_file():
        try:
            whole = files.read_json(run.done, RunError).get("epochs", 0) >= wanted
        except RunError:
            return "damaged"
        return "done" if whole else "partial"
    if run.last.is_file() or run.before_last.is_file() or epochs:
        return "partial"
    return "missing"


def _history(run: RunDir) -> list[dict[str, str]]:
    try:
        with run.history.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except OSError:
        return []


def _step(run: RunDir, epochs: int) -> int:
    try:
        position = files.read_json(run.position)
    except CompError:
        return 0
    return int(position.get("step", 0)) if position.get("epoch") == epochs else 0


def _seconds(run: RunDir) -> float | None:
    """The time of the last whole epoch in the log."""
    try:
        lines = run.log.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        found = re.search(r"  (\d+\.\d) s", line)
        if found and "(the rest of it)" not in line:
            return float(found[1])
    return None


def _next(planned: bool, folds: tuple[FoldStatus, ...], submitted: bool) -> str:
    if not planned:
        return "comp folds make"
    unfinished = [str(fold.fold) for fold in folds if fold.state != "done"]
    if unfinished:
        return f"comp train --fold {','.join(unfinished)}"
    return "comp ensemble" if not submitted else "done: the submission is written"
