"""The page of a validated segmentation: scores per class, and truth beside prediction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from comp.data.images.decode import read_image
from comp.data.index.index import Index
from comp.report.overlay import colour_of
from comp.report.page import embedded, masked, shrunk, write_page
from comp.tasks.counts import RATIOS, class_scores, image_scores, mean_of_defined
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]
Masks = Callable[[int], tuple[Array, Array]]  # row -> truth and prediction (H, W, L)

_EACH, _SIDE = 6, 340
_SCORES = ("dice", "iou", "precision", "recall")
_BACKGROUND = (221, 221, 221)


def ranked(counts: Array, classes: int, each: int) -> dict[str, list[tuple[int, float]]]:
    """worst, median, best -> (row, score) of images, by the mean Dice of the classes that an image
    has or is predicted to have; images without both are left out.

    counts: (N, C, 4), see `comp.tasks.counts`.
    """
    own = counts[:, counts.shape[1] - classes :]
    there = own[..., :3].sum(axis=2) > 0
    scores = mean_of_defined(np.where(there, image_scores(own, RATIOS["dice"]), np.nan))
    order = [int(row) for row in np.argsort(scores, kind="stable") if not np.isnan(scores[row])]
    middle = max(0, len(order) // 2 - each // 2)
    chosen = {"worst": order[:each], "median": order[middle : middle + each], "best": order[-each:]}
    return {kind: [(row, float(scores[row])) for row in rows] for kind, rows in chosen.items()}


def write_validation_page(
    path: Path,
    index: Index,
    counts: Array,
    score: float,
    metric: Metric,
    masks: Masks,
    read: Callable[[Path], Array] = read_image,
) -> None:
    """Write the page of the worst, median and best out-of-fold images.

    counts: (N, C, 4) of the images of the index, see `comp.tasks.counts`. score: of all of them.
    read: an image of a path.
    """
    parts = validation_parts(index, counts, masks, read)
    write_page(
        path,
        "validation",
        name=path.parent.name,
        metric=metric.name,
        score=score,
        images=len(counts),
        **parts,
    )


def validation_parts(
    index: Index, counts: Array, masks: Masks, read: Callable[[Path], Array] = read_image
) -> dict[str, Any]:
    """The table of classes (heads, classes) and the cards of images (kinds), for a template."""
    classes = len(index.classes)
    labels = index.label_texts()
    kinds = {
        kind: [
            {
                "id": index.ids[row],
                "labels": labels[row].replace("|", ", ") or "none",
                "score": score,
                "pictures": _pictures(read(index.paths[row]), *masks(row)),
            }
            for row, score in rows
        ]
        for kind, rows in ranked(counts, classes, _EACH).items()
    }
    heads = ("images", *_SCORES)
    return {"heads": heads, "classes": _classes(index.classes, counts), "kinds": kinds}


def _classes(names: tuple[str, ...], counts: Array) -> list[dict[str, Any]]:
    """A row of the table of scores per class, the background first where it is one."""
    columns = [class_scores(counts, RATIOS[name]) for name in _SCORES]
    extra = counts.shape[1] - len(names)
    return [
        {
            "name": name,
            "colour": _BACKGROUND if c < extra else colour_of(c + 1 - extra),
            "images": int(((counts[:, c, 0] + counts[:, c, 2]) > 0).sum()),
            "scores": ["-" if np.isnan(v[c]) else f"{v[c]:.3f}" for v in columns],
        }
        for c, name in enumerate(["background"] * extra + list(names))
    ]


def _pictures(image: Array, truth: Array, predicted: Array) -> list[dict[str, str]]:
    shown = {
        "image": shrunk(image, _SIDE),
        "truth": masked(image, truth, _SIDE),
        "prediction": masked(image, predicted, _SIDE),
    }
    return [{"caption": name, "src": embedded(pixels)} for name, pixels in shown.items()]
