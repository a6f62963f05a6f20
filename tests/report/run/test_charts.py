"""Charts are well-formed SVG with a text for who cannot see them, whatever the names hold."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from comp.report.run.charts import (
    Frame,
    Series,
    bar_chart,
    dot_chart,
    frame_of,
    heat_map,
    line_chart,
    shortened,
    thinned,
    ticks,
)

HOSTILE = '<script>alert("x")</script>\x1b[31m'


def paths(chart: str, style: str) -> list[str]:
    """What is drawn by the paths of a class."""
    return re.findall(rf'<path class="{style}" d="([^"]*)"', chart.split("<figcaption>")[0])


def test_lines_run_from_corner_to_corner_of_their_frame_and_break_at_nan() -> None:
    line = Series("one", [0, 1, 2, 3], [0.0, 1.0, np.nan, 0.5], 0)
    chart = line_chart([line], "alt", ("x", "y"), frame=Frame((0, 3), (0, 1)))
    assert paths(chart, "line k0") == ["M56.0 196.0L161.3 10.0M372.0 103.0"]


def test_names_are_text_and_every_chart_has_a_label() -> None:
    line = Series(HOSTILE, [0, 1], [0, 1], 0, dots=True)
    charts = [
        line_chart([line], HOSTILE, (HOSTILE, HOSTILE), diagonal=True),
        bar_chart([(HOSTILE, np.array([1.0, 0]), 1)], np.array([0, 1, 2]), HOSTILE, ("x", "y"),
                  [(HOSTILE, 0.5)]),
        dot_chart(np.array([1.0, 1]), np.array([2.0, 3]), HOSTILE, (HOSTILE, "y")),
        heat_map(np.array([[3, 1], [0, 2]]), [HOSTILE, "b"], HOSTILE, ("answer", "truth")),
    ]  # fmt: skip
    for chart in charts:
        assert "<script" not in chart
        assert "\x1b" not in chart
        (drawn,) = [n for n in ElementTree.fromstring(chart).iter("svg") if n.get("role") == "img"]
        assert drawn.get("aria-label") == HOSTILE.replace("\x1b", "\\x1b")


def test_ticks_are_round_numbers_inside_the_range() -> None:
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(1, 2, least=1) == [1, 2]
    assert ticks(-3, 12) == [0, 5, 10]
    assert ticks(1, 1) == [1]


def test_a_frame_holds_what_is_finite_and_flat_lines_have_room() -> None:
    frame = frame_of([Series("", [1, 2], [np.nan, 2.0], 0)])
    assert (frame.x, frame.y) == ((1, 2), (1.8, 2.2))
    assert frame_of([]).y == (0, 0.5)


def test_many_points_are_thinned_with_their_ends() -> None:
    xs, ys = thinned(range(5000), range(5000))
    assert len(xs) == 120
    assert (xs[0], ys[-1]) == (0, 4999)


def test_cells_of_a_matrix_say_who_was_answered_what() -> None:
    chart = heat_map(np.array([[3, 1], [0, 2]]), ["cat", "dog"], "alt", ("answer", "truth"))
    assert 'style="max-width: 231px"' in chart  # two classes do not fill the page
    assert re.findall(r"<title>(.*?)</title>", chart) == [
        "cat answered cat: 3 (75% of its row)",
        "cat answered dog: 1 (25% of its row)",
        "dog answered dog: 2 (100% of its row)",
    ]


def test_bars_overlap_and_marks_are_named() -> None:
    chart = bar_chart(
        [("yes", np.array([0.5, 0]), 1), ("no", np.array([0, 1.0]), 0)],
        np.array([0, 0.5, 1]), "alt", ("p", "share"), [("threshold 0.4", 0.4)],
    )  # fmt: skip
    assert chart.count('class="bar') == 2
    assert "<title>threshold 0.4</title>" in chart


def test_long_names_get_an_ellipsis() -> None:
    assert (shortened("abcdef", 6), shortened("abcdefg", 6)) == ("abcdef", "abcde…")
    assert shortened("a\nb", 9) == "a\\nb"
