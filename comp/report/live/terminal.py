"""Folds in training as one calm picture on a terminal: a row per fold, a line about all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from comp.core.terminal import visible
from comp.report.live.rows import LiveFold, LiveRun, about, spark
from comp.report.run.charts import shortened
from comp.report.run.headline import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_WIDE = 100  # letters of a terminal that has room for all
# What is shown of a fold; what goes first where the terminal has no room
_COLUMNS = (
    *("fold", "bar", "epoch", "loss", "valid"),
    *("score", "best", "curve", "images/s", "left"),
)
_DROPPED = ("curve", "images/s", "valid", "loss", "bar", "score", "best", "left")
_WIDEST = 10_000
_LEFT = ("fold", "bar", "curve")
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
            parts += [_table(run, width, plain=plain), Text(about(run), style="dim")]
        notes = [run.note, *(f"{fold.name}: {fold.note}" for fold in run.folds if fold.note)]
        parts += [Text(visible(note), style="yellow") for note in notes if note]
    return Group(*parts)


def _table(run: LiveRun, width: int, *, plain: bool) -> Any:
    from rich.console import Console
    from rich.measure import Measurement

    shown, dropped = list(_COLUMNS), iter(_DROPPED)
    console = Console(width=_WIDEST)
    while True:
        table = _table_of(run, shown, wide=width >= _WIDE, plain=plain)
        found = Measurement.get(console, console.options, table).maximum
        less = next(dropped, None) if found > width else None
        if less is None:
            return table
        shown.remove(less)


def _table_of(run: LiveRun, shown: Sequence[str], *, wide: bool, plain: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in shown:
        head = {"score": shortened(run.metric, 12), "curve": "", "bar": "", "fold": ""}
        left: Any = "left" if name in _LEFT else "right"
        table.add_column(Text(head.get(name, name), style="dim"), justify=left, no_wrap=True)
    for fold in run.folds:
        cells = _cells(fold, run.metric, wide=wide, plain=plain)
        table.add_row(*(cells[name] for name in shown))
    return table


def _cells(fold: LiveFold, metric: str, *, wide: bool, plain: bool) -> dict[str, RenderableType]:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    now = min(fold.epochs + (fold.works and fold.epochs < fold.of), fold.of)
    best = _number(fold.best)
    best += f" in {fold.best_epoch}" if fold.best is not None and wide else ""
    loss = fold.last("train_loss") if fold.loss is None else fold.loss
    left = duration(fold.left) if fold.works and fold.left is not None else fold.state
    left = "validating" if fold.state == "validation" and wide else left
    return {
        "fold": Text(visible(fold.name)),
        "bar": ProgressBar(total=1.0, completed=fold.share, width=20 if wide else 10),
        "epoch": Text(f"{now}/{fold.of}" if fold.of else "-"),
        "loss": Text(_number(loss)),
        "valid": Text(_number(fold.last("valid_loss"))),
        "score": Text(_number(fold.last(metric))),
        "best": Text(best),
        "curve": Text("" if plain else spark(fold.history.get(metric, ()))),
        "images/s": Text(f"{fold.speed:,.0f}" if fold.speed else "-"),
        "left": Text(left, style=_STYLES.get(fold.state, "")),
    }


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
