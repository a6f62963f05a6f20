"""A COCO data set of small images, as Roboflow writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from toys import save

from comp.config.schema import DataConfig
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS

BLACK = np.zeros((6, 8, 3), np.uint8)


LEFT = [0.0, 0.0, 4.0, 0.0, 4.0, 6.0, 0.0, 6.0]


TOP = [0.0, 0.0, 8.0, 0.0, 8.0, 2.0, 0.0, 2.0]


NAMES = ((0, "damage"), (1, "dent"), (2, "scratch"))


def lay(
    folder: str, images: dict[str, list[tuple[int, Any]]], names: Any = NAMES, **over: Any
) -> Path:
    """Images of a folder, and their json as Roboflow writes it."""
    items, marks = [], []
    (Path("input") / folder).mkdir(parents=True, exist_ok=True)
    for number, (name, shapes) in enumerate(images.items()):
        save(Path("input") / folder / name, BLACK)
        items.append({"id": number, "file_name": name, "height": 6, "width": 8})
        for category, shape in shapes:
            area = {str(LEFT): 24, str(TOP): 16}.get(str(shape), 1)
            marks.append(
                {
                    "id": len(marks),
                    "image_id": number,
                    "category_id": category,
                    "segmentation": shape if isinstance(shape, dict) else [shape],
                    "area": area,
                    "iscrowd": int(isinstance(shape, dict)),
                }
            )
    tree = {
        "images": items,
        "annotations": marks,
        "categories": [{"id": number, "name": name} for number, name in names],
    }
    path = Path("input") / folder / "_annotations.coco.json"
    path.write_text(json.dumps({**tree, **over}))
    return path


def read(task: str = "segmentation", **over: Any) -> Any:
    data = DataConfig.model_validate({"root": "input", "layout": "coco", **over})
    return read_index(data, TASKS[task])
