"""The page of a validated segmentation: scores a class, and truth beside prediction."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.core import files
from comp.data.images.decode import read_image
from comp.data.index.index import Index
from comp.report.overlay import colour_of, overlay
from comp.tasks.counts import RATIOS, class_scores, image_scores, mean_of_defined
from comp.tasks.metrics import Metric

Array = np.ndarray[Any, Any]

_EACH, _SIDE = 6, 260
_NAMES = ("dice", "iou", "precision", "recall")
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:980px;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;text-align:right}
th:first-child,td:first-child{text-align:left}tr:nth-child(even){background:#f5f5f5}
.row{display:flex;gap:8px;margin:.4em 0 1.4em}.row figure{margin:0;flex:1}
img{width:100%;image-rendering:auto;border-radius:3px}figcaption{font-size:13px;color:#555}
.chip{display:inline-block;width:.9em;height:.9em;border-radius:2px;margin-right:.4em}"""


def ranked(counts: Array, classes: int, each: int) -> dict[str, list[tuple[int, float]]]:
    """worst, median, best -> (row, score) of images, by the mean Dice of the classes that an image
    holds or is given; images that hold none and are given none say nothing.

    counts: (N, C, 4), see `comp.tasks.counts`.
    """
    own = counts[:, counts.shape[1] - classes :]
    there = own[..., :3].sum(axis=2) > 0
    scores = mean_of_defined(np.where(there, image_scores(own, RATIOS["dice"]), np.nan))
    order = [int(row) for row in np.argsort(scores, kind="stable") if not np.isnan(scores[row])]
    middle = max(0, len(order) // 2 - each // 2)
    chosen = {"worst": order[:each], "median": order[middle : middle + each], "best": order[-each:]}
    return {kind: [(row, float(scores[row])) for row in rows] for kind, rows in chosen.items()}


def write_mask_page(
    path: Path,
    index: Index,
    counts: Array,
    metric: Metric,
    answer: Callable[[int], tuple[Array, Array]],
) -> None:
    """Write one HTML file with its pictures inside.

    counts: (N, C, 4) of the images of the index; answer: row -> truth and prediction (H, W, L).
    """
    parts = [f"<h1>{escape(path.parent.name)}: out of fold</h1>", _scores(index, counts, metric)]
    for kind, rows in ranked(counts, len(index.classes), _EACH).items():
        parts.append(f"<h2>{kind}</h2>")
        parts += [_shown(index, row, score, answer) for row, score in rows]
    head = f"<meta charset='utf-8'><title>{escape(path.parent.name)}</title><style>{_STYLE}</style>"
    files.write_text(path, f"<!doctype html>{head}\n" + "\n".join(parts) + "\n")


def _scores(index: Index, counts: Array, metric: Metric) -> str:
    columns = {name: class_scores(counts, RATIOS[name]) for name in _NAMES}
    names = index.classes
    extra = counts.shape[1] - len(names)
    rows = []
    for c, name in enumerate(["background"] * extra + list(names)):
        chip = "#ddd" if c < extra else f"rgb{colour_of(c + 1 - extra)}"
        cells = "".join(f"<td>{_text(columns[key][c])}</td>" for key in _NAMES)
        own = counts[:, c, :3]
        held = int(((own[:, 0] + own[:, 2]) > 0).sum())
        chip = f"<span class='chip' style='background:{chip}'></span>"
        rows.append(f"<tr><td>{chip}{escape(name)}</td><td>{held}</td>{cells}</tr>")
    score = metric.score(counts, counts, len(names))
    head = "".join(f"<th>{name}</th>" for name in ("class", "images", *_NAMES))
    told = (
        f"<p>{escape(metric.name)} <b>{score:.4f}</b>, cross-fitted, on {len(counts)} images; the "
        "pictures show the rule that is used.</p>"
    )
    return f"{told}<table><tr>{head}</tr>{''.join(rows)}</table>"


def _text(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _shown(
    index: Index, row: int, score: float, answer: Callable[[int], tuple[Array, Array]]
) -> str:
    image = read_image(index.paths[row])
    truth, said = answer(row)
    pictures = (
        ("image", image),
        ("truth", overlay(image, truth)),
        ("prediction", overlay(image, said)),
    )
    figures = "".join(
        f"<figure><img src='{_address(pixels)}'><figcaption>{what}</figcaption></figure>"
        for what, pixels in pictures
    )
    labels = index.label_texts()[row].replace("|", ", ") or "nothing"
    told = f"{escape(index.ids[row])}: {escape(labels)} (mean Dice {score:.3f})"
    return f"<div>{told}</div><div class='row'>{figures}</div>"


def _address(pixels: Array) -> str:
    scale = _SIDE / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    small = cv2.resize(pixels, size, interpolation=way)
    coded = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()
