"""`comp status`: how far each fold is, which process works on it, and the next command.

Reads small files and the ends of large ones: it is quick, needs no torch, and can run beside a
training. What it cannot see is a byte that was changed inside a checkpoint; training checks that.
"""

from __future__ import annotations

import contextlib
import csv
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comp.config.loading import load_config, stage_config
from comp.config.metric_file import with_file_digest
from comp.config.plugins import with_digests
from comp.config.schema import Config
from comp.config.workspace import RunDir, Workspace, boxes_stand, workspace_of
from comp.core import checksums, files, locks
from comp.core.errors import CompError, ConfigError, reason
from comp.core.footer import read_place

_MOST_FOLDS = 10_000  # a plan that says more is damaged


@dataclass(frozen=True)
class FoldStatus:
    """One fold.

    `state`      done, partial, missing, stale (trained with another plan) or damaged
    `epochs`     finished ones of `of`; `step` updates of the next one are in the checkpoint too
    `best`       the best score so far, in epoch `best_epoch`, counted from 1
    `seconds`    the time of the last whole epoch
    `held`       the process that works on it now
    `predicted`  the parts (valid, test) with predictions of this checkpoint
    `changed`    the keys of the config that changed since it was started
    `note`       what is wrong with its files
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
    changed: tuple[str, ...]
    note: str | None


@dataclass(frozen=True)
class Status:
    """All folds of an experiment, and the next command.

    `plan` is None where there is none; `plan_note` says what is wrong with one; `current`:
    whether the submission was made from the current checkpoints. `stage`: of `stages`, which is
    trained before; `boxes`: whether it has found the boxes of this run.
    """

    name: str
    plan: str | None
    plan_note: str | None
    folds: tuple[FoldStatus, ...]
    submission: str | None
    current: bool
    next: str
    refits: tuple[FoldStatus, ...] = ()
    stage: Status | None = None
    boxes: bool | None = None

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the training time that is left, by the slowest fold's last epoch."""
        known = [fold.seconds for fold in self.folds if fold.seconds is not None]
        if not known:
            return None
        left = [fold.of - fold.epochs for fold in self.folds if fold.state != "done"]
        return max(known) * sum(left)

    def plain(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {**asdict(self), "seconds_left": self.seconds_left}


def read_status(config: Config, root: Path = Path()) -> Status:
    """What lies on the disk for `config`; never raises for something missing or damaged."""
    with contextlib.suppress(ConfigError):  # a plugin file that is missing: training says so
        config = with_file_digest(with_digests(config, root), root, told=False)
    space = workspace_of(config, root)
    manifest, plan_note = _plan(space)
    plan = manifest.get("fingerprint")
    folds = tuple(
        _fold_or_note(k, space.fold(k), config, plan)
        for k in range(manifest.get("count", config.folds.parts))
    )
    name = _json(space.submission_json).get("file")
    submission = None if name is None else space.submission_json.parent / Path(str(name)).name
    current = submission is not None and _is_current(space, folds, config)
    stage, boxes = _stage(config, root)
    return Status(
        name=space.name,
        plan=plan,
        plan_note=plan_note,
        folds=folds,
        submission=None if submission is None else str(submission),
        current=current,
        next=_next(plan is not None, folds, current, config, found=boxes is not False),
        refits=tuple(_refit(number, run, plan) for number, run in enumerate(space.refits())),
        stage=stage,
        boxes=boxes,
    )


def _stage(config: Config, root: Path) -> tuple[Status | None, bool | None]:
    """The stage before, and whether its boxes are those of its checkpoints."""
    if not config.stages:
        return None, None
    before = stage_config(config)
    with contextlib.suppress(CompError, OSError):
        return read_status(before, root), boxes_stand(workspace_of(before, root), before)
    return read_status(before, root), False


def _refit(number: int, run: RunDir, plan: str | None) -> FoldStatus:
    """A training on all images, which is held against the config that it was begun with."""
    with contextlib.suppress(CompError, OSError):
        return _fold_or_note(number, run, load_config(run.config), plan)
    note = f"{run.config.name} cannot be read"
    return FoldStatus(number, "damaged", 0, 0, 0, None, None, None, None, (), (), note)


def _json(path: Any) -> dict[str, Any]:
    """The JSON object in a file; empty when there is none, or none that can be read."""
    try:
        return files.read_json(path)
    except CompError:
        return {}


def _plan(space: Workspace) -> tuple[dict[str, Any], str | None]:
    """Fingerprint and number of folds of the plan, if it is there; what is wrong with it."""
    there = [path.is_file() for path in (space.plan_csv, space.plan_json)]
    if not any(there):
        return {}, None
    manifest = _json(space.plan_json)
    fingerprint, count = manifest.get("fingerprint"), manifest.get("count")
    whole = isinstance(fingerprint, str) and isinstance(count, int) and 0 < count <= _MOST_FOLDS
    if not all(there) or not whole:
        return {}, f"the plan is not whole ({space.plan_csv} and {space.plan_json.name})"
    return {"fingerprint": fingerprint, "count": count}, None


def _fold_or_note(number: int, run: RunDir, config: Config, plan: str | None) -> FoldStatus:
    try:
        return _fold(number, run, config, plan)
    except Exception as problem:  # whatever a damaged file makes its reader raise
        note = f"its files cannot be read ({reason(problem)})"
        wanted = config.passes
        return FoldStatus(number, "damaged", 0, 0, wanted, None, None, None, None, (), (), note)


def _fold(number: int, run: RunDir, config: Config, plan: str | None) -> FoldStatus:
    epochs, step, note = _place(run)
    state, wrong = _state(run, epochs, config.passes, plan)
    rows = read_history(run)
    best = next((row for row in reversed(rows) if row.get("best") == "1"), {})
    score, at = as_number(best.get(config.metric)), as_number(best.get("epoch"))
    held = locks.holder(run.path) if run.path.is_dir() else None
    return FoldStatus(
        fold=number,
        state="damaged" if note and state == "missing" else state,
        epochs=epochs,
        step=step,
        of=max(config.passes, epochs),
        best=score,
        best_epoch=None if at is None else int(at) + 1,
        seconds=epoch_seconds(run),
        held=None if held is None else f"{held.get('pid', '?')} on {held.get('host', '?')}",
        predicted=tuple(_predicted(run, config)),
        changed=_changed(run, config),
        note=wrong or note,
    )


def _place(run: RunDir) -> tuple[int, int, str | None]:
    """Epoch and step of the newest checkpoint that is not torn, and a note about a torn one."""
    torn: list[str] = []
    for path in (run.last, run.before_last):
        place = read_place(path)
        if place is not None:
            return *place, f"{torn[0]} is torn: {path.name} is used" if torn else None
        if path.exists():
            torn.append(path.name)
    return 0, 0, f"{' and '.join(torn)} torn" if torn else None


def _state(run: RunDir, epochs: int, wanted: int, plan: str | None) -> tuple[str, str | None]:
    """The state of a fold, and what is wrong with its manifest or its best checkpoint."""
    manifest, state = _json(run.done), "partial" if read_place(run.last) or epochs else "missing"
    if run.done.is_file() and not isinstance(manifest.get("epochs"), int):
        return "damaged", f"{run.done.name} is damaged: `comp train` makes it again"
    if manifest and plan is not None and manifest.get("plan") != plan:
        return "stale", f"trained with plan {str(manifest.get('plan'))[:8]}"
    if (manifest or run.best.exists()) and read_place(run.best) is None:
        return "damaged", f"{run.best.name} is missing or torn"
    whole = manifest and (manifest.get("early") or manifest["epochs"] >= wanted)
    return ("done", None) if whole else (state, None)


def _changed(run: RunDir, config: Config) -> tuple[str, ...]:
    try:
        return tuple(run.drift(config))
    except CompError:
        return (run.config.name,)


def read_history(run: RunDir) -> list[dict[str, str]]:
    """The rows of the history of a fold; none where it cannot be read."""
    try:
        with run.history.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except (OSError, ValueError, csv.Error):
        return []


def as_number(text: str | None) -> float | None:
    """A cell of the history as a number; None for what is none, and for NaN."""
    try:
        value = math.nan if text is None else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def epoch_seconds(run: RunDir) -> float | None:
    """The time of the last whole epoch in the log."""
    try:
        lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        found = re.search(r"  (\d+\.\d) s", line)
        if found and "(the rest of it)" not in line:
            return float(found[1])
    return None


def _kept(run: RunDir, config: Config) -> Any:
    """The digest of the checkpoint that predicts, by the manifest of the fold."""
    return _json(run.done).get(f"{config.predict.checkpoint}_sha256")


def _predicted(run: RunDir, config: Config) -> list[str]:
    kept = _kept(run, config)
    parts = []
    for folder in (run.valid, run.test):
        source = _json(folder / "manifest.json").get("source")
        if isinstance(source, dict) and kept and source.get("checkpoint_sha256") == kept:
            parts.append(folder.name)
    return parts


def _is_current(space: Workspace, folds: tuple[FoldStatus, ...], config: Config) -> bool:
    """Whether the submission is whole and made from the current checkpoints."""
    manifest = _json(space.submission_json)
    try:
        made = [member["checkpoint_sha256"] for member in manifest["blend"]["members"]]
        whole = (
            checksums.digest_file(space.submission_json.with_name(manifest["file"]))
            == manifest["sha256"]
        )
    except (KeyError, TypeError, ValueError, OSError, CompError):
        return False
    return whole and made == [_kept(space.fold(fold.fold), config) for fold in folds]


def _next(
    planned: bool, folds: tuple[FoldStatus, ...], current: bool, config: Config, *, found: bool
) -> str:
    if not planned:
        return "comp folds make"
    foreign = [fold for fold in folds if fold.changed or fold.state == "stale"]
    if foreign:
        return (
            f"fold {foreign[0].fold} was begun with another "
            f"{'config' if foreign[0].changed else 'plan'}: go back to that, or use another "
            "`name` (--set name=...), or start over with `comp train --restart`"
        )
    unfinished = [fold for fold in folds if fold.state != "done"]
    free = [str(fold.fold) for fold in unfinished if fold.held is None]
    if free:
        return f"comp train --fold {','.join(free)}"
    if unfinished:
        return "wait: all folds that are left are being trained"
    if config.train.subset is not None:
        return "done: an experiment on a subset has no submission"
    if not found:
        return "comp train"
    return "done: the submission is written" if current else "comp ensemble"
