"""`comp watch`: a page, a picture on the terminal, or one look at what is in training."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from comp.config.schema import Config
from comp.config.workspace import workspace_of
from comp.core.errors import Interrupted, UsageError, did_you_mean, first
from comp.core.progress import say
from comp.core.terminal import tell
from comp.report.live.rows import LiveRun, about
from comp.stages.watching.reading import RunReader


def readers_of(
    names: Sequence[str], config: Config | None, root: Path = Path(), *, wait: bool = True
) -> list[RunReader]:
    """A reader for each run: those of the names, else that of the config.

    wait: a run that has not begun may be named. Raises UsageError for what is no name of a run, and
    where nothing is waited for, for a run that is not there.
    """
    if not names:
        if config is None:
            raise UsageError("give the name of a run, or a config")
        return [RunReader(root, workspace_of(config, root).name, config)]
    there = sorted(path.name for path in (root / "runs").glob("*") if path.is_dir())
    for name in names:
        if name in ("", ".", "..") or Path(name).name != name or "\0" in name:
            raise UsageError(f"{name!r} is no name of a run; there are: {first(there) or 'none'}")
        if name in there:
            continue
        known = first(there) or "none"
        if not wait:
            hint = did_you_mean(name, there)
            raise UsageError(f"no run {name!r} in {root / 'runs'}; there are: {known}.{hint}")
        say(f"runs/{name} is not there yet; it is waited for (there are: {known})")
    return [RunReader(root, name) for name in dict.fromkeys(names)]


def look(readers: Sequence[RunReader]) -> list[LiveRun]:
    """The runs as they are now."""
    return [reader.read() for reader in readers]


def on_terminal(readers: Sequence[RunReader], seconds: float) -> None:
    """Draw all folds on the terminal until all are done or the user leaves; in a log, a line per
    run whenever it changed."""
    with contextlib.suppress(KeyboardInterrupt, Interrupted), _drawn() as draw:
        while True:
            runs = look(readers)
            draw(runs)
            if all(_over(run) for run in runs):
                return
            time.sleep(seconds)


def _over(run: LiveRun) -> bool:
    return bool(run.folds) and all(fold.state == "done" for fold in run.folds)


@contextlib.contextmanager
def _drawn() -> Iterator[Callable[[Sequence[LiveRun]], None]]:
    """What shows a state: a picture on a terminal, lines elsewhere."""
    if not sys.stdout.isatty():
        yield Lines().show
        return
    from rich.console import Console

    from comp.report.live.terminal import TerminalPicture

    picture = TerminalPicture(Console())
    try:
        yield picture.show
    finally:
        picture.close()


class Lines:
    """A line per run, printed when a fold began, ended or finished an epoch."""

    def __init__(self) -> None:
        self.seen: dict[str, object] = {}

    def show(self, runs: Sequence[LiveRun]) -> None:
        """Print what changed."""
        for run in runs:
            state = run.note, [(fold.works or fold.state, fold.epochs) for fold in run.folds]
            if self.seen.get(run.name) != state:
                self.seen[run.name] = state
                tell(line_of(run))


def line_of(run: LiveRun) -> str:
    """A run in a line: its epochs and best scores by fold, and what `about` says of all."""
    if not run.folds:
        return f"{run.name}: {run.note}"
    parts = [
        f"{fold.name} {fold.epochs}/{fold.of}" + ("" if fold.best is None else f" {fold.best:.4f}")
        for fold in run.folds
        if fold.epochs or fold.works
    ]
    return f"{run.name}: {about(run)}" + (f"; {', '.join(parts)}" if parts else "")
