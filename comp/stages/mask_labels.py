"""`comp labels` where there is an answer for each pixel: the masks that are most doubted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comp.data.images.decode import read_image
from comp.ensemble.rules.regions import decide, neutral_rule
from comp.ensemble.votes import VOTES
from comp.report.contact_sheet import contact_sheet
from comp.report.overlay import overlay
from comp.stages.experiment import Experiment, read_plan, read_test_images, read_train
from comp.stages.mask_scene import Scene, each_row, scene_of
from comp.stages.members import Ground, gather
from comp.tasks.counts import RATIOS, count_pixels, image_scores

Array = np.ndarray[Any, Any]

SURE = 0.05  # a Dice below it: truth and prediction hardly touch


def rank_masks(
    experiment: Experiment, runs: Sequence[str], picture: Path, sheet: int
) -> tuple[list[tuple[str, str, float, bool, bool]], int]:
    """(id, class, Dice, marked, said) of every image and class that is marked or said, the lowest
    Dice first; and how many images there are. The first `sheet` images are painted: as they are
    marked, and as the mean of the runs says out of fold."""
    index = read_train(experiment)
    plan = read_plan(experiment, index)
    test = read_test_images(experiment, index.classes)
    ground = Ground(experiment, index, test, plan)
    scene = scene_of(ground, gather(ground, runs or (experiment.name,), (), None))
    counts = np.stack(list(each_row(lambda row: _count(scene, row), len(scene.index), "judging")))
    own = counts[:, counts.shape[1] - len(index.classes) :]
    scores = image_scores(own, RATIOS["dice"])
    marked, said = (own[..., 0] + own[..., 2]) > 0, (own[..., 0] + own[..., 1]) > 0
    pairs = [(float(scores[r, c]), int(r), int(c)) for r, c in np.argwhere(marked | said)]
    pairs.sort(key=lambda pair: (pair[0], -int(own[pair[1], pair[2], 1:3].sum())))
    rows = list(dict.fromkeys(row for _, row, _ in pairs))[:sheet]
    if rows:
        _draw(scene, rows, picture)
    names = scene.index.ids
    found = [
        (names[row], index.classes[c], score, bool(marked[row, c]), bool(said[row, c]))
        for score, row, c in pairs
    ]
    return found, len(scene.index)


def _sight(scene: Scene, row: int) -> tuple[Array, Array]:
    """Truth and prediction (L, H, W) of an image, by the mean of the members."""
    weights = np.full(len(scene.members), 1 / len(scene.members))
    probs, truth = scene.sight(VOTES["soft"], weights, row)
    task = scene.ground.experiment.task
    return truth, decide(probs, neutral_rule(len(scene.index.classes)), task)


def _count(scene: Scene, row: int) -> Array:
    columns = scene.ground.experiment.task.columns(len(scene.index.classes))
    return count_pixels(*_sight(scene, row), columns)


def _draw(scene: Scene, rows: Sequence[int], path: Path) -> None:
    pictures, titles = [], []
    for row in rows:
        image = read_image(scene.index.paths[row])
        for what, mask in zip(("marked", "said"), _sight(scene, row), strict=True):
            pictures.append(overlay(image, mask.transpose(1, 2, 0)))
            titles.append(f"{what}  {scene.index.ids[row]}"[:40])
    contact_sheet(pictures, titles, path, columns=4)
