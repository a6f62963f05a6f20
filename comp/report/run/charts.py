"""Charts as SVG inside a page: they follow its colours, light or dark, and need no script.

Each is a `<figure>` with a legend; what it shows is in its `aria-label`, what a mark is in its
`<title>`. Colours are classes `k0`, `k1`, ... of the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from comp.core.terminal import visible

Array = np.ndarray[Any, Any]

COLOURS = 7  # of the style sheet; more series repeat them with another dash
_WIDTH, _HEIGHT = 380, 230
_LARGER = 1.7  # times its own size that a drawing is shown at most
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 10, 34
_MOST_POINTS = 120  # of a line


@dataclass(frozen=True)
class Series:
    """A line: `name` for the legend ("" for none), xs and ys (NaN breaks it), its colour's number,
    whether it is dashed, whether its points are marked."""

    name: str
    xs: Sequence[float] | Array
    ys: Sequence[float] | Array
    colour: int
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Frame:
    """The scales of a chart: ranges of x and y in the units of the data."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        """The place of an x."""
        low, high = self.x
        return _LEFT + (value - low) / (high - low or 1) * (_WIDTH - _LEFT - _RIGHT)

    def down(self, value: float) -> float:
        """The place of a y."""
        low, high = self.y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low or 1) * (_HEIGHT - _TOP - _BOTTOM)


def line_chart(
    series: Sequence[Series],
    alt: str,
    labels: tuple[str, str],
    *,
    frame: Frame | None = None,
    diagonal: bool = False,
    counted: bool = False,
) -> Markup:
    """Lines over one pair of axes; labels: of x and y. diagonal: a dotted line from corner to
    corner, which is what to compare with. counted: x is a whole number."""
    frame = frame or frame_of(series)
    parts = [_axes(frame, labels, counted=counted)]
    if diagonal:
        parts.append(_path([frame.x[0], frame.x[1]], [frame.y[0], frame.y[1]], frame, "guide"))
    for one in series:
        style = f"line k{one.colour % COLOURS}" + " dashed" * one.dashed
        xs, ys = thinned(one.xs, one.ys)
        parts.append(_path(xs, ys, frame, style, one.name))
        if one.dots or np.isfinite(np.asarray(ys, dtype=float)).sum() == 1:
            parts += [_dot(x, y, frame, one) for x, y in zip(xs, ys, strict=True)]
    return _figure(parts, alt, [(s.name, s.colour, s.dashed) for s in series if s.name])


def bar_chart(
    groups: Sequence[tuple[str, Array, int]],
    edges: Array,
    alt: str,
    labels: tuple[str, str],
    marks: Sequence[tuple[str, float]] = (),
) -> Markup:
    """Histograms over the same bins, one drawn over the other; groups: name, heights (B,) and
    colour; edges: (B + 1,). marks: named vertical lines."""
    top = max((float(heights.max(initial=0)) for _, heights, _ in groups), default=0) or 1.0
    frame = Frame((float(edges[0]), float(edges[-1])), (0.0, top * 1.05))
    parts = [_axes(frame, labels)]
    for name, heights, colour in groups:
        for height, low, high in zip(heights, edges, edges[1:], strict=False):
            if height > 0:
                parts.append(_bar(float(low), float(high), float(height), frame, name, colour))
    for name, place in marks:
        x = frame.across(place)
        parts.append(
            Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"><title>{3}'
                   "</title></line>").format(x, _TOP, _HEIGHT - _BOTTOM, visible(name))
        )  # fmt: skip
    keys = [(name, colour, False) for name, _, colour in groups]
    return _figure(parts, alt, keys, [name for name, _ in marks])


def dot_chart(
    xs: Array, ys: Array, alt: str, labels: tuple[str, str], *, diagonal: bool = False
) -> Markup:
    """Points over one pair of axes."""
    every = np.concatenate([xs, ys]) if diagonal else xs
    frame = Frame(_padded(every), _padded(every if diagonal else ys))
    parts = [_axes(frame, labels)]
    if diagonal:
        parts.append(_path([*frame.x], [*frame.y], frame, "guide"))
    parts += [
        Markup('<circle class="point" cx="{:.1f}" cy="{:.1f}" r="2"/>').format(
            frame.across(float(x)), frame.down(float(y))
        )
        for x, y in zip(xs, ys, strict=True)
    ]
    return _figure(parts, alt, [])


def heat_map(table: Array, names: Sequence[str], alt: str, labels: tuple[str, str]) -> Markup:
    """A table (K, K) of counts as cells; names: of both. The ink of a cell is its share of its row,
    against the largest share that there is."""
    count = len(names)
    text = 60.0
    side = max(7.0, min(30.0, 300 / max(count, 1)))
    size = text + side * count + 16
    rows = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    most = float(rows.max(initial=0)) or 1.0
    parts = [
        Markup('<text class="tick" x="{:.1f}" y="9" text-anchor="middle">{}</text>').format(
            text + side * count / 2, labels[0]
        )
    ]
    for number, name in enumerate(names):
        place = text + side * (number + 0.5)
        short = shortened(name, 9)
        parts.append(
            Markup('<text class="tick small" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>'
                   '<text class="tick small" transform="translate({:.1f} {:.1f}) rotate(-90)" '
                   'text-anchor="start">{}</text>').format(
                text - 3, place + 3, short, place + 3, text - 3, short)
        )  # fmt: skip
    for (row, column), number in np.ndenumerate(table):
        if number:
            parts.append(
                _cell(row, column, int(number), float(rows[row, column]), names, side, most)
            )
    box = Markup('<rect class="border" x="{0}" y="{0}" width="{1:.1f}" height="{1:.1f}"/>').format(
        text, side * count
    )
    return _figure([*parts, box], alt, [], size=(size, size))


def _cell(
    row: int, column: int, number: int, share: float, names: Any, side: float, most: float
) -> Markup:
    title = f"{names[row]} answered {names[column]}: {number} ({share:.0%} of its row)"
    right = "right" if row == column else "wrong"
    x, y = 60.0 + side * column, 60.0 + side * row
    found = Markup('<rect class="cell {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" '
                   'fill-opacity="{:.2f}"><title>{}</title></rect>').format(
        right, x, y, side, side, 0.08 + 0.82 * share / most, visible(title))  # fmt: skip
    if side >= 16:
        ink = "over" if share > 0.45 * most else "under"
        found += Markup('<text class="count {}" x="{:.1f}" y="{:.1f}">{}</text>').format(
            ink, x + side / 2, y + side / 2 + 3, number
        )
    return found


def thinned(xs: Sequence[float] | Array, ys: Sequence[float] | Array) -> tuple[Array, Array]:
    """At most 120 of the points, the ends among them."""
    a, b = np.asarray(xs, dtype=float), np.asarray(ys, dtype=float)
    if len(a) <= _MOST_POINTS:
        return a, b
    some = np.unique(np.linspace(0, len(a) - 1, _MOST_POINTS).astype(int))
    return a[some], b[some]


def frame_of(series: Sequence[Series]) -> Frame:
    """A frame that holds all finite points."""
    xs = np.concatenate([np.asarray(one.xs, dtype=float) for one in series] or [np.zeros(1)])
    ys = np.concatenate([np.asarray(one.ys, dtype=float) for one in series] or [np.zeros(1)])
    low, high = _padded(ys)
    return Frame(_range(xs), (max(0.0, low) if (ys[np.isfinite(ys)] >= 0).all() else low, high))


def _range(values: Array) -> tuple[float, float]:
    found = values[np.isfinite(values)]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _padded(values: Array) -> tuple[float, float]:
    found = values[np.isfinite(values)]
    if len(found) and found.min() == found.max():
        room = abs(float(found[0])) * 0.1 or 0.5
        return float(found[0]) - room, float(found[0]) + room
    low, high = _range(values)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def ticks(low: float, high: float, most: int = 5, least: float = 0.0) -> list[float]:
    """Round numbers within a range, at most about `most`, and `least` apart."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    raw = max(span / most, least)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    begin = math.ceil(low / step - 1e-9)
    return [number * step for number in range(begin, math.floor(high / step + 1e-9) + 1)]


def shortened(text: str, most: int) -> str:
    """A name on one line, with an ellipsis where it is longer."""
    text = visible(text, lines=False)
    return text if len(text) <= most else text[: most - 1] + "…"


def _axes(frame: Frame, labels: tuple[str, str], *, counted: bool = False) -> Markup:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for value in ticks(*frame.y):
        y = frame.down(value)
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                   '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                _LEFT, right, y, y, _LEFT - 4, y + 4, f"{value:.4g}")
        )  # fmt: skip
    for value in ticks(*frame.x, least=float(counted)):
        x = frame.across(value)
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                x, bottom + 14, f"{value:.4g}"
            )
        )
    parts.append(
        Markup('<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
               '<text class="tick" x="{3}" y="{4}" text-anchor="middle">{5}</text>'
               '<text class="tick" transform="translate(10 {6}) rotate(-90)" '
               'text-anchor="middle">{7}</text>').format(
            _LEFT, right, bottom, (_LEFT + right) / 2, _HEIGHT - 5,
            visible(labels[0]), (_TOP + bottom) / 2, visible(labels[1]))
    )  # fmt: skip
    return Markup("").join(parts)


def _path(xs: Any, ys: Any, frame: Frame, style: str, name: str = "") -> Markup:
    drawn, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            pen = "M"
            continue
        drawn.append(f"{pen}{frame.across(float(x)):.1f} {frame.down(float(y)):.1f}")
        pen = "L"
    title = Markup("<title>{}</title>").format(visible(name)) if name else ""
    return Markup('<path class="{}" d="{}">{}</path>').format(style, "".join(drawn), title)


def _dot(x: float, y: float, frame: Frame, one: Series) -> Markup:
    if not (math.isfinite(x) and math.isfinite(y)):
        return Markup("")
    title = f"{one.name}: {x:.4g}, {y:.4g}"
    return Markup(
        '<circle class="dot k{}" cx="{:.1f}" cy="{:.1f}" r="2.6"><title>{}</title></circle>'
    ).format(one.colour % COLOURS, frame.across(x), frame.down(y), visible(title))


def _bar(low: float, high: float, height: float, frame: Frame, name: str, colour: int) -> Markup:
    left, right, top = frame.across(low), frame.across(high), frame.down(height)
    title = f"{name}, {low:.3g} to {high:.3g}: {height:.3g}"
    return Markup(
        '<rect class="bar k{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
        "<title>{}</title></rect>"
    ).format(
        colour % COLOURS,
        left,
        top,
        max(0.5, right - left - 0.6),
        _HEIGHT - _BOTTOM - top,
        visible(title),
    )


def _figure(
    parts: Sequence[Markup],
    alt: str,
    keys: Sequence[tuple[str, int, bool]],
    marks: Sequence[str] = (),
    size: tuple[float, float] = (_WIDTH, _HEIGHT),
) -> Markup:
    legend = [
        Markup('<span class="key"><svg viewBox="0 0 16 8" aria-hidden="true"><path class="line k{}'
               '{}" d="M0 4L16 4"/></svg>{}</span>').format(
            colour % COLOURS, " dashed" if dashed else "", visible(name))
        for name, colour, dashed in keys
    ]  # fmt: skip
    legend += [
        Markup('<span class="key"><svg viewBox="0 0 16 8" aria-hidden="true"><path class="mark" '
               'd="M8 0L8 8"/></svg>{}</span>').format(visible(name))
        for name in marks
    ]  # fmt: skip
    caption = Markup("<figcaption>{}</figcaption>").format(Markup(" ").join(legend))
    wide = Markup("")
    if size[0] != _WIDTH:  # few cells do not fill a page
        wide = Markup(' style="max-width: {:.0f}px"').format(_LARGER * size[0])
    return Markup(
        '<figure class="chart"><svg viewBox="0 0 {:.0f} {:.0f}"{} role="img" aria-label="{}">{}'
        "</svg>{}</figure>"
    ).format(
        *size,
        wide,
        escape(visible(alt)),
        Markup("").join(parts),
        caption if legend else Markup(""),
    )
