"""Folds in training as one calm picture on a terminal: a row per fold, a line about all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from comp.core.terminal import visible
from comp.report.live.rows import LiveFold, LiveRun, about, spark
from comp.report.run.headline import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE, _MIDDLE = 100, 66  # columns of a terminal from which all, or most, is shown
_BAR = {True: 20, False: 10}
_STYLES = {"done": "green", "stopped": "yellow", "damaged": "red", "waiting": "dim"}


def picture(runs: Sequence[LiveRun], width: int, *, plain: bool = False) -> Any:
    """A table of the folds of each run with a line below; columns are left out where the terminal
    is narrow. width: of the terminal in letters; plain: it has ASCII only."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for run in runs:
        if len(runs) > 1:
            parts.append(Text(visible(run.name), style="bold"))
        if run.folds:
            parts += [_table(run, width, plain=plain), Text(about(run.folds), style="dim")]
        notes = [run.note, *(f"{fold.name}: {fold.note}" for fold in run.folds if fold.note)]
        parts += [Text(visible(note), style="yellow") for note in notes if note]
    return Group(*parts)


def _table(run: LiveRun, width: int, *, plain: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    wide, middle = width >= _WIDE, width >= _MIDDLE
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    heads = ["", "", "epoch", *(("loss", "valid") if middle else ()), visible(run.metric), "best"]
    heads += [*(("", "images/s") if wide else ()), "left"]
    for place, head in enumerate(heads):
        justify: Any = "left" if place < 2 or not head else "right"
        table.add_column(Text(head, style="dim"), justify=justify, no_wrap=True)
    for fold in run.folds:
        table.add_row(*_cells(fold, run.metric, wide=wide, middle=middle, plain=plain))
    return table


def _cells(
    fold: LiveFold, metric: str, *, wide: bool, middle: bool, plain: bool
) -> list[RenderableType]:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    style = _STYLES.get(fold.state, "")
    now = min(fold.epochs + (fold.works and fold.epochs < fold.of), fold.of)
    best = _number(fold.best)
    best += f" in {fold.best_epoch}" if fold.best is not None and wide else ""
    curve = "" if plain else spark(fold.history.get(metric, ()))
    left = duration(fold.left) if fold.works and fold.left is not None else fold.state
    return [
        Text(visible(fold.name)),
        ProgressBar(total=1.0, completed=fold.share, width=_BAR[wide], pulse=False),
        Text(f"{now}/{fold.of}" if fold.of else "-"),
        *((_text(fold.loss, fold, "train_loss"), Text(_number(fold.last("valid_loss"))))
          if middle else ()),
        Text(_number(fold.last(metric))),
        Text(best),
        *((Text(curve), Text(f"{fold.speed:,.0f}" if fold.speed else "-")) if wide else ()),
        Text("validating" if fold.state == "validation" and wide else left, style=style),
    ]  # fmt: skip


def _text(now: float | None, fold: LiveFold, column: str) -> Any:
    from rich.text import Text

    return Text(_number(fold.last(column) if now is None else now))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


class TerminalPicture:
    """The picture on a terminal, drawn anew by each `show`; its last state stays there."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self.console = console
        self.runs: Sequence[LiveRun] = ()
        self._live = Live(
            get_renderable=self._picture,
            console=console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _picture(self) -> Any:
        ascii_only = self.console.options.ascii_only
        return picture(self.runs, self.console.width, plain=ascii_only)

    def show(self, runs: Sequence[LiveRun]) -> None:
        """Draw these runs in the place of those before."""
        self.runs = runs
        if not self._live.is_started:
            self._live.start()
        self._live.refresh()

    def above(self, text: str) -> None:
        """Print a line above the picture."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True, emoji=False)

    def close(self) -> None:
        """Leave the picture where it is."""
        if self._live.is_started:
            self._live.stop()
