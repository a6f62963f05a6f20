"""`comp boxes`: where the masks of a segmentation run lie, for a second run on the crops.

A training image gets the box of its out-of-fold mask, so that no crop comes from a network that has
seen its mask; a test image that of the mean of the folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.loading import stage_classes
from comp.config.schema import BOXES
from comp.config.workspace import boxes_stand, checkpoints_of
from comp.core import files
from comp.core.checksums import digest_file
from comp.core.errors import ConfigError, UsageError, first
from comp.core.progress import say, track
from comp.data.images.boxes import SIDES
from comp.data.images.crops import Box, component_box
from comp.data.index.tables import write_table
from comp.stages.ensembling.members import Ground, run_model
from comp.stages.experiment import (
    Experiment,
    read_plan,
    read_test_images,
    read_train,
    stage_before,
)

Array = np.ndarray[Any, Any]

_HALF = 0.5


@dataclass(frozen=True)
class Boxes:
    """A table of boxes: the file, how many images it has, and how many of them have none."""

    path: Path
    images: int
    empty: int


def find_boxes(experiment: Experiment, out: Path | None, classes: Sequence[str] = ()) -> Boxes:
    """Write the box of the largest region of each image: boxes/<name>.csv, or `out`.

    classes: those whose pixels count; none: all. An image without any gets blank cells: the whole
    image. Raises ConfigError for a task without masks, UsageError for classes that are not there,
    RunError for folds that are not finished.
    """
    task = experiment.task
    if not task.spatial:
        raise ConfigError(f"comp boxes: reads the masks of a segmentation run; task is {task.name}")
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test_images(experiment, index.classes)
    names = task.column_names(index.classes)
    strange = [name for name in classes if name not in index.classes]
    if strange:
        raise UsageError(f"--class: {first(strange)} is none of {first(index.classes, 20)}")
    columns = [names.index(name) for name in classes or index.classes]
    model = run_model(Ground(experiment, index, test, plan), experiment)
    assert model.oof is not None, "a run has out-of-fold rows"
    tests = [part.align(test.ids) for part in model.tests]
    rows = [*_rows("train", model.oof.ids, [model.oof], columns)]
    rows += _rows("test", test.ids, tests, columns)
    path = experiment.path(out or Path("boxes") / f"{experiment.name}.csv")
    files.refuse_twin(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, ("id", "part", *SIDES), rows)
    return Boxes(path, len(rows), sum(not row[2] for row in rows))


def find_crops(experiment: Experiment) -> None:
    """Write the boxes of the stage before (`stages`), where there is one and they are not there
    already: of the same checkpoints, images, views and classes.

    Tells how many images have none and stay whole. Raises RunError for a fold of it that is not
    finished, and what `find_boxes` raises.
    """
    before = stage_before(experiment)
    if before is None:
        return
    paths, classes = before.workspace, stage_classes(experiment.config)
    index = read_train(before)
    test = read_test_images(before, index.classes)
    made = {
        "checkpoints": checkpoints_of(paths, before.config),
        "images": [part.contents(paths.cache) for part in (index, test)],
        "tta": before.config.predict.tta,
        "classes": classes,
    }
    old = files.read_json(paths.boxes_json) if boxes_stand(paths, before.config) else {}
    if any(old.get(key) != value for key, value in made.items()):
        files.remove(paths.boxes_json)
        found = find_boxes(before, Path("runs") / before.name / BOXES, classes)
        counts = {"count": found.images, "whole": found.empty}
        old = {**made, **counts, "sha256": digest_file(found.path)}
        files.write_json(paths.boxes_json, old)
    say(
        f"{paths.boxes_csv}: boxes of {old['count']} training and test images; "
        f"{old['whole']} have no region and stay whole"
    )


def _rows(
    part: str, ids: Sequence[str], members: Sequence[Any], columns: Sequence[int]
) -> Iterator[list[str]]:
    """Id, part and box of each image, by the mean of the maps of the members."""
    for row, name in track(enumerate(ids), len(ids), f"boxes of {part} images"):
        maps = np.mean([_probs(member.probs[row]) for member in members], axis=0)
        box = component_box(_shown(maps, columns))
        cells = [""] * len(SIDES) if box is None else _cells(box)
        yield [name, part, *cells]


def _probs(maps: Any) -> Array:
    """(C, side, side) in [0, 1]."""
    found = np.asarray(maps)
    return found / 255 if found.dtype == np.uint8 else found


def _shown(maps: Array, columns: Sequence[int]) -> Array:
    """(side, side) bool: pixels that belong to one of the columns more likely than not."""
    own = maps[list(columns)]
    return np.asarray(np.minimum(own.sum(axis=0), 1.0) >= _HALF)


def _cells(box: Box) -> list[str]:
    return [f"{side:.6g}" for side in box]
