"""Pictures of what was measured: learning rates, batch sizes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comp.core import files


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _write(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    files.write_bytes(path, buffer.getvalue())


def plot_rates(
    rates: Sequence[float], losses: Sequence[float], suggestion: float, path: Path
) -> None:
    """Smoothed loss over the learning rate, with the suggestion, as a PNG."""
    figure, axes = _figure()
    axes.plot(rates, losses)
    axes.set_xscale("log")
    axes.axvline(suggestion, linestyle="--", color="tab:red", label=f"steepest: {suggestion:.1e}")
    axes.set_ylim(top=min(max(losses), 2 * losses[0]))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("smoothed training loss")
    axes.legend()
    _write(figure, path)


def plot_batches(trials: Sequence[tuple[int, float, int | None]], path: Path) -> None:
    """Images a second, and peak memory where it is known, over the batch size, as a PNG."""
    figure, axes = _figure()
    sizes = [size for size, _, _ in trials]
    axes.plot(sizes, [speed for _, speed, _ in trials], marker="o")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    axes.set_xlabel("batch size")
    axes.set_ylabel("images a second")
    axes.set_ylim(bottom=0)
    memory = [used for _, _, used in trials]
    if None not in memory:
        right = axes.twinx()
        right.plot(sizes, memory, marker="s", color="tab:red")
        right.set_ylabel("peak device memory, MiB")
    _write(figure, path)
