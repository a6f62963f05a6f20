"""The balance of a plan as bars and coloured cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plan_toys import index_of, plan_of
from report_toys import keep_figures

from comp.data.folds.balance import Balance
from comp.report import balance_picture
from comp.report.balance_picture import MANY, draw_balance

PLAN = plan_of(index_of([0, 1] * 6))
EVEN = np.array([3, 3])
COUNTS = {"cat": EVEN, "dog": np.array([1, 5])}


def test_cells_hold_counts_and_their_colour_the_percent_off_an_even_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures = keep_figures(monkeypatch, balance_picture)
    draw_balance(PLAN, Balance(np.array([4, 8]), COUNTS), Path("unused.png"))
    bars, cells = figures[0].axes[:2]
    assert [patch.get_height() for patch in bars.patches] == [4, 8]
    assert bars.get_title() == "12 images, stratified, seed 42"
    assert [text.get_text() for text in bars.texts] == ["4", "8"]
    assert [label.get_text() for label in cells.get_yticklabels()] == ["cat", "dog"]
    assert [label.get_text() for label in cells.get_xticklabels()] == ["fold 0", "fold 1"]
    shown = np.asarray(cells.images[0].get_array())
    assert shown.tolist() == pytest.approx(np.array([[0, 0], [-200 / 3, 200 / 3]]))
    inks = {text.get_text(): text.get_color() for text in cells.texts}
    assert inks == {"3": "black", "1": "white", "5": "white"}


def test_bars_count_groups_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures(monkeypatch, balance_picture)
    made = Balance(np.array([4, 8]), COUNTS, groups=np.array([1, 2]))
    draw_balance(PLAN, made, Path("unused.png"))
    labels = [text.get_text() for text in figures[0].axes[0].texts]
    assert labels == ["4\n1 groups", "8\n2 groups"]


def test_of_many_classes_the_least_even_are_drawn_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures = keep_figures(monkeypatch, balance_picture)
    even = {f"even{number}": np.array([2, 2]) for number in range(MANY)}
    counts = {"a": np.array([1, 2]), **even, "z": np.array([0, 9])}
    draw_balance(PLAN, Balance(np.array([81, 91]), counts), Path("unused.png"))
    names = [label.get_text() for label in figures[0].axes[1].get_yticklabels()]
    assert names == ["a", *(f"even{number}" for number in range(MANY - 2)), "z"]


def test_a_class_without_images_is_even(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures(monkeypatch, balance_picture)
    draw_balance(PLAN, Balance(np.array([6, 6]), {"none": np.array([0, 0])}), Path("unused.png"))
    assert np.asarray(figures[0].axes[1].images[0].get_array()).tolist() == [[0, 0]]


def test_the_picture_is_a_png_with_names_of_any_script(tmp_path: Path) -> None:
    draw_balance(PLAN, Balance(np.array([6, 6]), {"과일 🍎": EVEN}), tmp_path / "balance.png")
    assert (tmp_path / "balance.png").read_bytes().startswith(b"\x89PNG")
