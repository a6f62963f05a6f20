"""What the files of a run say of its folds, now. Nothing is written, and no torch is needed.

Files are read again only when they changed, so that looking every second costs a training nothing
that could be measured, on a shared disk too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from comp.config.loading import load_config
from comp.config.schema import Config
from comp.config.workspace import RunDir, Workspace, workspace_of
from comp.core import files, locks
from comp.core.errors import CompError, reason
from comp.core.footer import read_place
from comp.report.live.rows import LiveFold, LiveRun, Picture, with_beat, with_history
from comp.stages.status import as_number, epoch_seconds, read_history
from comp.train.live.beat import read_beat

_SILENT = 120.0  # seconds without a change of `progress.json`
_MOST_FOLDS = 1000


@dataclass
class RunReader:
    """Reads one run of the workspace `root`. config: that of the run where it is known before the
    run has begun; the one in its folders counts as soon as there is one."""

    root: Path
    name: str
    config: Config | None = None
    _kept: dict[tuple[str, Path], tuple[files.FileState, Any]] = field(default_factory=dict)
    _signs: dict[Path, tuple[files.FileState, float]] = field(default_factory=dict)

    def read(self) -> LiveRun:
        """The run as it is now; never raises for what is missing or damaged."""
        space = Workspace(self.name, self.root)
        config, note = self._config(space)
        if config is None:
            return LiveRun(self.name, "score", (), note=note)
        runs = [space.fold(number) for number in range(self._count(space, config))]
        folds = [self.fold(run, config) for run in [*runs, *space.refits()]]
        model, image = config.model.name, config.image.size
        settings = f"{config.task}, {model}, {image} px, batches of {config.train.batch_size}"
        return LiveRun(self.name, config.metric, tuple(folds), settings, note)

    def picture(self, fold: int, name: str) -> Path | None:
        """The file of a picture that `read` named; None for any other."""
        known = self.read().folds
        if not 0 <= fold < len(known):
            return None
        shown = known[fold].picture
        folder = self.root / "runs" / self.name / known[fold].name.replace(" ", "_")
        return folder / "pictures" / name if shown and shown.name == name else None

    def _config(self, space: Workspace) -> tuple[Config | None, str | None]:
        """The config of the run, and what is to be said where there is none."""
        found = sorted(space.run.glob("fold_*/config.yaml")) if space.run.is_dir() else []
        found += sorted(space.run.glob("refit_*/config.yaml")) if space.run.is_dir() else []
        for path in found:
            try:
                return self._once("config", path, load_config), None
            except (CompError, OSError, UnicodeDecodeError) as problem:
                return self.config, f"{path} cannot be read: {reason(problem)}"
        return self.config, f"runs/{self.name} has not begun; waiting for it"

    def _count(self, space: Workspace, config: Config) -> int:
        """How many folds there are: by the plan, and by the folders where there is none."""
        plan = workspace_of(config, self.root).plan_json
        about = self._once("json", plan, files.read_json) if plan.is_file() else {}
        count = about.get("count")
        if isinstance(count, int) and 0 < count <= _MOST_FOLDS:
            return count
        return config.folds.parts

    def _once(self, what: str, path: Path, read: Callable[[Path], Any]) -> Any:
        """What `read` makes of a file, or its CompError for `json`: an empty mapping; read again
        when the file changed."""
        state = files.file_stat(path)
        kept = self._kept.get((what, path))
        if kept is not None and kept[0] == state and state != files.UNKNOWN:
            return kept[1]
        try:
            value = read(path)
        except CompError:
            if what != "json":
                raise
            value = {}
        self._kept[what, path] = (files.settled(state), value)
        return value

    def fold(self, run: RunDir, config: Config) -> LiveFold:
        """One fold as it is now."""
        fold = LiveFold(run.path.name.replace("_", " "), of=config.passes)
        try:
            return self._read(run, config, fold)
        except Exception as problem:  # whatever a damaged file makes its reader raise
            return replace(fold, state="damaged", note=f"cannot be read ({reason(problem)})")

    def _read(self, run: RunDir, config: Config, fold: LiveFold) -> LiveFold:
        if not run.path.is_dir():
            return fold
        rows = self._once("history", run.history, lambda _: _numbers(read_history(run)))
        fold = with_history(fold, rows, config.metric)
        seconds = self._once("log", run.log, lambda _: epoch_seconds(run))
        picture = _newest(run)
        fold = replace(fold, epoch_seconds=seconds, picture=picture)
        done = self._once("json", run.done, files.read_json) if run.done.is_file() else {}
        if done.get("early") or _whole(done.get("epochs"), config.passes):
            return replace(fold, state="done", of=fold.epochs or fold.of, left=0.0)
        holder = locks.holder(run.path)
        beat = self._once("beat", run.progress, read_beat)
        fold = fold if beat is None else with_beat(fold, beat)
        if holder is None:
            begun = fold.epochs or beat is not None or read_place(run.last) is not None
            return replace(fold, state="stopped" if begun else "waiting", left=None, speed=None)
        held = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
        state = "training" if beat is None or beat.phase != "validation" else "validation"
        return replace(fold, state=state, held=held, note=self._silence(run.progress))

    def _silence(self, path: Path) -> str | None:
        """Words for who holds a fold and gives no sign; by the clock here, whatever clock the disk
        has."""
        state, now = files.file_stat(path), time.monotonic()
        last = self._signs.get(path)
        if last is None or last[0] != state:
            self._signs[path] = (state, now)
            return None
        quiet = now - last[1]
        if quiet < _SILENT or state == files.UNKNOWN:
            return None
        return f"no sign of progress for {quiet / 60:.0f} min; its process is there"


def _whole(epochs: Any, wanted: int) -> bool:
    """Whether a manifest is of all epochs that are wanted; it may be of a shorter training that
    goes on."""
    return isinstance(epochs, int) and epochs >= wanted


def _numbers(rows: list[dict[str, str]]) -> list[dict[str, float]]:
    """Rows of the history as numbers; NaN for cells that are none."""
    found = []
    for row in rows:
        cells = {str(name): as_number(text) for name, text in row.items() if name}
        found.append({name: math.nan if v is None else v for name, v in cells.items()})
    return found


def _newest(run: RunDir) -> Picture | None:
    """The newest picture of the validation that a fold wrote (`train.show_every`)."""
    found = sorted((run.path / "pictures").glob("epoch_*.png"))
    if not found:
        return None
    name = found[-1].stem.removeprefix("epoch_").lstrip("0")
    fold = run.path.name.replace("_", " ")
    words = f"{fold}, epoch {name}: worst, median and best images with truth and prediction"
    return Picture(found[-1].name, files.file_stat(found[-1])[1], words)


def plain(runs: list[LiveRun]) -> list[Mapping[str, Any]]:
    """The state as plain values for JSON."""
    return [
        {
            "name": run.name,
            "metric": run.metric,
            "settings": run.settings,
            "note": run.note,
            "folds": [
                {
                    **{key: _json(value) for key, value in vars(fold).items()},
                    "picture": fold.picture and fold.picture.name,
                    "history": {
                        name: [_json(value) for value in values]
                        for name, values in fold.history.items()
                    },
                }
                for fold in run.folds
            ],
        }
        for run in runs
    ]


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
