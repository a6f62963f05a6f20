"""The picture of folds that this process trains: on a terminal or in a notebook, never in a log."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from comp.core.progress import drawn, in_notebook, is_quiet
from comp.report.live.rows import LiveFold, LiveRun, with_beat, with_history
from comp.train.live.beat import Beat

Watch = Callable[[Beat, list[dict[str, float]]], None]  # a beat, and the history of its fold


class _Drawing(Protocol):
    def show(self, runs: Sequence[LiveRun]) -> None: ...

    def above(self, text: str) -> None: ...

    def close(self) -> None: ...


@contextlib.contextmanager
def training_picture(name: str, metric: str, folds: Sequence[LiveFold]) -> Iterator[Watch | None]:
    """What takes the beats of these folds and draws them all, while the block runs; None where
    nothing can be drawn: in a log, and with --quiet."""
    drawing = None if is_quiet() else _drawing()
    if drawing is None:
        yield None
        return
    picture = TrainingPicture(drawing, name, metric, folds)
    with drawn(drawing.above):
        try:
            yield picture.watch
        finally:
            picture.leave()


def _drawing() -> _Drawing | None:
    if sys.stderr.isatty():
        from rich.console import Console

        from comp.report.live.terminal import TerminalPicture

        console = Console(stderr=True)
        return None if console.is_dumb_terminal else TerminalPicture(console)
    if in_notebook():
        from comp.report.live.notebook import NotebookPicture

        return NotebookPicture()
    return None


class TrainingPicture:
    """All folds of a command; those that wait and those that are done stand there too."""

    def __init__(
        self, drawing: _Drawing, name: str, metric: str, folds: Sequence[LiveFold]
    ) -> None:
        self.drawing, self.name, self.metric = drawing, name, metric
        self.folds = {fold.name: fold for fold in folds}
        self.began, self.busy = False, True

    def watch(self, beat: Beat, history: list[dict[str, float]]) -> None:
        """A fold says where it is."""
        known = self.folds.get(beat.name, LiveFold(beat.name))
        fold = with_beat(with_history(known, history, self.metric), beat)
        state = "done" if beat.phase == "finished" else beat.phase
        self.folds[beat.name] = replace(
            fold, state=state, of=fold.epochs if state == "done" else fold.of
        )
        self._draw()

    def leave(self) -> None:
        """Nobody works on a fold any more; the picture stays."""
        self.busy = False
        if self.began:
            for name, fold in self.folds.items():
                if fold.works:
                    self.folds[name] = replace(fold, state="stopped")
            self._draw()
        self.drawing.close()

    def _draw(self) -> None:
        self.began = True
        folds = tuple(self.folds.values())
        self.drawing.show([LiveRun(self.name, self.metric, folds, busy=self.busy)])
