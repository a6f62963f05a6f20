"""Curves of what was measured are drawn as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from comp.report import curves
from comp.report.curves import plot_batches, plot_folds, plot_rates


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn; none is written."""
    found: list[Figure] = []

    @contextmanager
    def figure(_path: Path, *_size: float) -> Iterator[Any]:
        found.append(Figure())
        yield found[-1]

    monkeypatch.setattr(curves, "figure", figure)
    return found


def test_losses_stand_over_the_rates_with_the_suggestion(drawn: list[Figure]) -> None:
    plot_rates([1e-4, 1e-3, 1e-2], [1.0, 0.5, 9.0], 1e-3, Path("a.png"))
    (axes,) = drawn[0].axes
    curve, line = axes.lines
    assert curve.get_xydata().tolist() == [[1e-4, 1.0], [1e-3, 0.5], [1e-2, 9.0]]
    assert (list(line.get_xdata()), axes.get_xscale()) == ([1e-3, 1e-3], "log")
    assert axes.get_ylim()[1] == 2.0  # the explosion does not hide the valley


@pytest.mark.parametrize(("memory", "panels"), [((10, 20), 2), ((10, None), 1)])
def test_memory_is_drawn_where_all_of_it_is_known(
    drawn: list[Figure], memory: tuple[int | None, ...], panels: int
) -> None:
    plot_batches([(2, 5.0, memory[0], 4.0), (4, 8.0, memory[1], None)], Path("a.png"))
    assert len(drawn[0].axes) == panels
    assert drawn[0].axes[0].lines[0].get_xydata().tolist() == [[2, 5.0], [4, 8.0]]


def test_every_fold_has_a_line_for_its_loss_and_its_score(drawn: list[Figure]) -> None:
    rows = [{"epoch": 0.0, "valid_loss": 2.0, "f1": 0.5}, {"epoch": 1.0, "valid_loss": 1.0}]
    plot_folds({"a 0": rows, "a 1": rows[:1]}, "f1", Path("a.png"))
    loss, score = drawn[0].axes
    assert [line.get_xydata().tolist() for line in loss.lines] == [
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 2.0]],
    ]
    assert score.lines[0].get_ydata()[0] == 0.5
    assert loss.get_legend() is not None
    plot_folds({str(number): rows for number in range(11)}, "f1", Path("a.png"))
    assert drawn[1].axes[0].get_legend() is None
