"""The page of `comp check`: one HTML file with its pictures inside, that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.core import files
from comp.core.errors import CheckError, CompError
from comp.data.images.decode import read_image
from comp.data.index.index import Index
from comp.report.overlay import legend, overlay

_GROUPS, _MEMBERS, _IDS = 120, 14, 300  # shown of each; the JSON has all
_SIDE = 120  # pixels of a picture
_MASKED, _WIDE = 16, 300  # images that are shown with their masks, and their longer side
_KINDS = {
    "exact": "the same bytes",
    "reencoded": "the same frame, saved again",
    "turned": "the same frame, turned or flipped",
    "family": "names of copies",
    "near": "the same thing, seen again",
    "shots": "neighbours by number",
}


def write_page(path: Path, name: str, record: dict[str, Any], train: Index, test: Index) -> None:
    """Write the page of what a check found; record: see `comp.stages.check.record`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    place = {("train", i): p for i, p in zip(train.ids, train.paths, strict=True)}
    place |= {("test", i): p for i, p in zip(test.ids, test.paths, strict=True)}
    labels = dict(zip(train.ids, train.label_texts(), strict=True))
    shown = sorted(record["proposals"], key=lambda group: -group["confidence"])
    groups = [_shown(group, place, labels) for group in _sampled(shown, _GROUPS)]
    env = Environment(
        loader=PackageLoader("comp", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files.write_text(
        path,
        env.get_template("check.html.j2").render(
            name=name,
            record=record,
            groups=groups,
            counts={
                level: sum(f["level"] == level for f in record["findings"])
                for level in ("error", "warning", "note")
            },
            most=max(record["classes"].values(), default=1) or 1,
            kinds=_KINDS,
            examples=[_examples(f["ids"], place) for f in record["findings"]],
            max_ids=_IDS,
            masked=_masked(train) if record.get("masks") else [],
            legend=_coded(legend(train.classes)) if record.get("masks") else "",
        ),
    )


def _sampled(groups: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """All of them, or some from the surest to the least sure."""
    if len(groups) <= most:
        return groups
    return [groups[round(k * (len(groups) - 1) / (most - 1))] for k in range(most)]


def _shown(
    group: dict[str, Any], place: dict[tuple[str, str], Path], labels: dict[str, str]
) -> dict[str, Any]:
    members = [("train", name) for name in group["ids"]] + [("test", n) for n in group["test_ids"]]
    pictures = [
        {
            "id": name,
            "part": part,
            "label": labels.get(name, "") if part == "train" else "test",
            "src": _picture(place[part, name]),
        }
        for part, name in members[:_MEMBERS]
    ]
    return {**group, "pictures": pictures, "more": len(members) - len(pictures)}


def _examples(ids: Iterable[str], place: dict[tuple[str, str], Path]) -> list[dict[str, str]]:
    """Pictures of the first few images that a finding is about."""
    out = []
    for name in list(ids)[:6]:
        path = place.get(("train", name)) or place.get(("test", name))
        source = _picture(path) if path else ""
        if source:
            out.append({"id": name, "src": source})
    return out


def _picture(path: Path) -> str:
    """A small JPEG of an image file as a data address; "" where it cannot be read."""
    try:
        pixels = read_image(path)
    except CheckError:
        return ""
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    small = cv2.resize(pixels, size, interpolation=way)
    return _coded(small)


def _coded(pixels: Any) -> str:
    """(H, W, 3) uint8 as a JPEG in a data address."""
    coded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()


def _masked(train: Index) -> list[dict[str, str]]:
    """Images with their masks painted over them: some of each class, and one without anything."""
    assert train.masks is not None, "there are statistics of masks"
    marks, rows = train.labels, list[int]()
    some = max(1, _MASKED // max(1, marks.shape[1]))
    for column in range(marks.shape[1]):
        there = np.setdiff1d(np.flatnonzero(marks[:, column]), rows)
        rows += there[np.linspace(0, len(there) - 1, min(some, len(there))).astype(int)].tolist()
    rows += np.flatnonzero(~marks.any(axis=1))[:1].tolist()
    out = []
    for row in rows:
        try:
            pixels, mask = read_image(train.paths[row]), train.masks.read(row)
        except CompError:  # a finding of its own
            continue
        side = _WIDE / max(pixels.shape[:2])
        size = (max(1, round(pixels.shape[1] * side)), max(1, round(pixels.shape[0] * side)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        layers = [cv2.resize(layer, size, interpolation=cv2.INTER_NEAREST_EXACT)
                  for layer in np.ascontiguousarray(np.moveaxis(mask, 2, 0))]  # fmt: skip
        out.append({"id": train.ids[row], "src": _coded(overlay(small, np.stack(layers, axis=2)))})
    return out
