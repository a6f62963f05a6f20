"""The balance of a fold plan as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comp.core.terminal import visible
from comp.report.figure import figure

if TYPE_CHECKING:
    from comp.data.folds.balance import Balance
    from comp.data.folds.plan import FoldPlan

Array = np.ndarray[Any, Any]

MANY = 40  # classes that are drawn


def draw_balance(plan: FoldPlan, made: Balance, path: Path) -> None:
    """Write a PNG: the images of each fold as bars, and how far each class is from an even share.

    Each cell has the number of images of a class in a fold; its colour says by how many percent of
    an even share these are too few (blue) or too many (red). Of more than 40 classes the least even
    are drawn. Raises CompError when `path` cannot be written.
    """
    names, counts = _least_even(made)
    even = counts.mean(axis=1, keepdims=True)
    away = 100 * (counts - even) / np.maximum(even, 1e-9)  # a class without images is even
    height = 2.4 + 0.28 * len(names)
    with figure(path, 2.5 + 0.9 * plan.count, height) as drawn:
        bars, cells = drawn.subplots(2, 1, height_ratios=[1.6, max(0.8, height - 2.4)])
        _draw_sizes(bars, plan, made)
        shown = cells.imshow(away, cmap="RdBu_r", vmin=-50, vmax=50, aspect="auto")
        for (row, fold), number in np.ndenumerate(counts):
            ink = "white" if abs(away[row, fold]) > 35 else "black"
            cells.text(fold, row, str(number), ha="center", va="center", fontsize=7, color=ink)
        cells.set_yticks(
            range(len(names)), [visible(name, lines=False)[:24] for name in names], fontsize=8
        )
        cells.set_xticks(range(plan.count), [f"fold {k}" for k in range(plan.count)], fontsize=8)
        drawn.colorbar(shown, ax=cells, label="% off an even share", shrink=0.8)


def _least_even(made: Balance) -> tuple[list[str], Array]:
    names = list(made.classes)
    counts = np.stack([made.classes[name] for name in names])
    uneven = np.ptp(counts, axis=1) / np.maximum(counts.mean(axis=1), 1e-9)
    rows = np.sort(np.argsort(-uneven, kind="stable")[:MANY])
    return [names[row] for row in rows], counts[rows]


def _draw_sizes(axes: Any, plan: FoldPlan, made: Balance) -> None:
    drawn = axes.bar(range(plan.count), made.rows, color="0.75")
    labels = made.rows.tolist()
    if made.groups is not None:
        labels = [f"{rows}\n{few} groups" for rows, few in zip(labels, made.groups, strict=True)]
    axes.bar_label(drawn, labels, label_type="center", fontsize=8)
    axes.set_xticks([])
    axes.set_title(f"{len(plan.ids)} images, {plan.scheme}, seed {plan.seed}", fontsize=9)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
