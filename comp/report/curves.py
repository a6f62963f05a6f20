"""Pictures of what was measured: learning rates, batch sizes, epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from comp.report.figure import figure

_SIZE = 7.0, 4.0  # inches
_MANY = 10  # lines that a legend names


def plot_rates(
    rates: Sequence[float], losses: Sequence[float], suggestion: float, path: Path
) -> None:
    """Smoothed loss over the learning rate, with the suggestion, as a PNG."""
    from matplotlib.ticker import LogFormatter

    with figure(path, *_SIZE) as drawn:
        axes = drawn.subplots()
        axes.plot(rates, losses)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(LogFormatter())  # the usual one writes formulas
        axes.axvline(
            suggestion, linestyle="--", color="tab:red", label=f"steepest: {suggestion:.1e}"
        )
        axes.set_ylim(top=min(max(losses), 2 * losses[0]))
        axes.set_xlabel("learning rate")
        axes.set_ylabel("smoothed training loss")
        axes.legend()


def plot_batches(trials: Sequence[tuple[int, float, int | None, float | None]], path: Path) -> None:
    """Images per second of the device alone and of training, and peak memory where it is known,
    over the batch size, as a PNG."""
    from matplotlib.ticker import NullFormatter

    with figure(path, *_SIZE) as drawn:
        axes = drawn.subplots()
        sizes = [size for size, *_ in trials]
        alone = [speed for _, speed, _, _ in trials]
        axes.plot(sizes, alone, marker="o", label="the device alone")
        known = [(size, loop) for size, _, _, loop in trials if loop is not None]
        if known:
            axes.plot(*zip(*known, strict=True), marker="^", label="training, with its loader")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("batch size")
        axes.set_ylabel("images per second")
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right")
        memory = [used for _, _, used, _ in trials]
        if None not in memory:
            right = axes.twinx()
            right.plot(sizes, memory, marker="s", color="tab:red")
            right.set_ylabel("peak device memory, MiB")


def plot_folds(
    curves: Mapping[str, Sequence[Mapping[str, float]]], metric: str, path: Path
) -> None:
    """Validation loss and score over the epochs, a line per fold, as a PNG.

    curves: name of a fold -> its rows of history.csv.
    """
    with figure(path, 10.0, 4.0) as drawn:
        for axes, column in zip(drawn.subplots(1, 2), ("valid_loss", metric), strict=True):
            for name, rows in curves.items():
                epochs = [row["epoch"] + 1 for row in rows]
                values = [row.get(column, float("nan")) for row in rows]
                axes.plot(epochs, values, marker="o", markersize=3, label=name)
            axes.set_xlabel("epoch")
            axes.set_ylabel(column.replace("_", " "))
            if 0 < len(curves) <= _MANY:
                axes.legend(fontsize="small")
