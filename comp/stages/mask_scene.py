"""Images with masks and the maps of the members: seen one by one, never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.parallel import read_ahead
from comp.core.progress import track
from comp.data.folds.make import judged_part
from comp.data.images.geometry import scaled
from comp.data.index.index import Index
from comp.ensemble.blend import check_members
from comp.ensemble.blend_scores import make_judge
from comp.ensemble.rules.regions import merged
from comp.ensemble.votes import Vote
from comp.ensemble.weights import WEIGHERS, read_weights
from comp.stages.members import Ground, Model, covered_ids
from comp.tasks.counts import IGNORED
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

Array = np.ndarray[Any, Any]
Sampled = tuple[Array, list[Array], Array]  # what pixels are, what each member says, their fold

_SAMPLED = 1_000_000  # pixels that weights are searched on
_THREADS = 4  # OpenCV and NumPy work outside the interpreter's lock
_TABLES = {True: "multiclass", False: "multilabel"}  # normalized -> what pixels are as rows


@dataclass(frozen=True)
class Scene:
    """The judged images with their members: `index` has the truth, `rows[m][i]` says where the
    image i is in the maps of member m."""

    ground: Ground
    index: Index
    fold: Array
    members: tuple[Any, ...]
    rows: tuple[Array, ...]

    def sight(self, vote: Vote, weights: Array, row: int) -> tuple[Array, Array]:
        """Merged probabilities (C, H, W) and truth (L, H, W) of an image, at its own size."""
        assert self.index.masks is not None
        truth = self.index.masks.read(row).transpose(2, 0, 1)
        where = [int(rows[row]) for rows in self.rows]
        maps = merged(self.members, where, weights, vote, self.ground.experiment.task)
        return scaled(maps, *truth.shape[1:]), truth


def scene_of(ground: Ground, models: Sequence[Model]) -> Scene:
    """The images that every model has judged, in the order of the index."""
    index, names = ground.index, ground.experiment.task.column_names(ground.index.classes)
    judged, _, parts = judged_part(index, ground.plan)
    oofs = [model.oof for model in models if model.oof is not None]
    check_members(oofs, names, ground.plan.fingerprint)
    ids = covered_ids(models, index)
    part = index.part(index.rows(ids))
    place = [{name: row for row, name in enumerate(oof.ids)} for oof in oofs]
    rows = tuple(np.array([where[name] for name in ids]) for where in place)
    members = tuple(oof.probs for oof in oofs)
    return Scene(ground, part, parts[judged.rows(ids)], members, rows)


def each_row(function: Callable[[int], Any], count: int, what: str) -> Iterable[Any]:
    """`function` of 0..count-1 by a few threads, in order, some ahead of who asks."""
    return track(read_ahead(function, range(count), _THREADS), count, what)


def search_weights(
    weigher: str,
    names: Sequence[str],
    vote: Vote,
    scene: Scene,
    sampled: Sampled | None,
    without: int | None,
) -> Array:
    """The weights of the models; searched on the sampled pixels, without those of one fold."""
    count, search = len(names), WEIGHERS.get(weigher)
    if weigher not in WEIGHERS:
        given = read_weights(scene.ground.experiment.path(weigher), list(names))
        return np.asarray(given / given.sum())
    if search is None or sampled is None:
        return np.full(count, 1 / count)
    target, probs, fold = sampled
    rows = np.ones(len(fold), dtype=bool) if without is None else fold != without
    task = TASKS[_TABLES[scene.ground.experiment.task.link.normalized]]
    neutral = task.link.neutral(probs[0].shape[1])
    rule = neutral if vote.gives_probs else np.tile(neutral, (count, 1))
    judge = make_judge(
        task, METRICS["macro_f1"], vote, target[rows], [p[rows] for p in probs], rule
    )
    return search(judge, scene.ground.experiment.config.seed)


def sample_pixels(scene: Scene) -> Sampled:
    """Pixels of all images as rows: what they are, what each member says, and their fold."""
    assert scene.index.masks is not None
    task = scene.ground.experiment.task
    each = max(16, _SAMPLED // max(1, len(scene.index)))
    targets, folds = [], []
    probs: list[list[Array]] = [[] for _ in scene.members]
    for row in track(range(len(scene.index)), len(scene.index), "sampling pixels"):
        truth = scene.index.masks.read(row).transpose(2, 0, 1)
        side = scene.members[0].shape[-1]
        down = np.linspace(0, truth.shape[1] - 1, side).astype(int)
        across = np.linspace(0, truth.shape[2] - 1, side).astype(int)
        small = truth[:, down][:, :, across].reshape(len(truth), -1)
        step = max(1, small.shape[1] // each)
        chosen = np.arange(row % step, small.shape[1], step)
        chosen = chosen[(small[:, chosen] != IGNORED).all(axis=0)]
        own = small[:, chosen].T.astype(np.int64)
        targets.append(own[:, 0] if task.link.normalized else own)
        folds.append(np.full(len(chosen), scene.fold[row]))
        for member, (maps, rows) in enumerate(zip(scene.members, scene.rows, strict=True)):
            one = scaled(np.asarray(maps[int(rows[row])]), side, side)
            flat = one.reshape(len(one), -1)[:, chosen].T.astype(np.float32) / 255
            total = flat.sum(axis=1, keepdims=True) if task.link.normalized else 1.0
            probs[member].append(flat / total)
    return np.concatenate(targets), [np.concatenate(p) for p in probs], np.concatenate(folds)
