"""The pictures of a report: small images of rows, what networks looked at, sizes and brightness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from comp.core.errors import CompError
from comp.core.parallel import cores, read_ahead
from comp.core.progress import say
from comp.data.cache.image_range import with_range
from comp.data.cache.store import gather
from comp.data.images.pixel_form import PixelForm, form_of
from comp.data.images.reading import picture_of, read_picture_of
from comp.data.images.resize import OWN_SIZE
from comp.data.index.index import Index
from comp.data.index.sources import Source
from comp.ensemble.mask_evidence import MaskEvidence
from comp.inference.activation_maps import Target, activation_maps, can_map, class_target
from comp.models.networks import Net
from comp.report.page import embedded, shrunk
from comp.report.run.answers import OofAnswers
from comp.report.run.tables import Slice, binned_slices
from comp.stages.reporting.opened import OpenedRun
from comp.tasks.counts import RATIOS, image_scores

Array = np.ndarray[Any, Any]

_SIDE, _LARGE = 160, 340  # pixels of a picture, and of one beside masks
_MEASURED = 2000  # images whose size and brightness are looked at
_SHARE = 0.5  # of the colour over an image
_FIFTHS = ("lowest fifth", "second fifth", "middle fifth", "fourth fifth", "highest fifth")


class Pictures:
    """Small images of the rows of a run, each decoded once."""

    def __init__(self, opened: OpenedRun) -> None:
        experiment = opened.experiment
        self.index = opened.part
        image = with_range(experiment.config.image, opened.part, experiment.workspace.cache)
        self.form = form_of(image)
        self.known: dict[int, str] = {}

    def picture(self, row: int) -> str:
        """For the `src` of an image; "" where the file cannot be read."""
        if row not in self.known:
            try:
                pixels = read_picture_of(self.index.source(row), self.form)
                self.known[row] = embedded(shrunk(pixels, _SIDE))
            except CompError:
                self.known[row] = ""
        return self.known[row]


def activation_pictures(
    opened: OpenedRun, found: OofAnswers, rows: Sequence[int]
) -> Mapping[int, str]:
    """Pictures of what each row's network looked at for its answer; none where pytorch-grad-cam is
    not installed or cannot explain the network."""
    if opened.experiment.config.data.bag is not None:
        return {}  # see `comp.stages.reporting.bag_pictures`
    ids = [found.ids[row] for row in rows]
    folds, targets = (
        [int(found.fold[row]) for row in rows],
        [explained_target(found, row) for row in rows],
    )
    seen = _explained(opened, ids, folds, targets)
    return {row: seen[found.ids[row]] for row in rows if found.ids[row] in seen}


def _explained(
    opened: OpenedRun,
    ids: Sequence[str],
    folds: Sequence[int],
    targets: Sequence[Target],
    side: int = _SIDE,
) -> dict[str, str]:
    """By id, pictures of what the networks of these folds looked at for the targets of images."""
    if not can_map():
        say("no activation maps: pytorch-grad-cam is not installed (`pip install comp[cam]`)")
        return {}
    if opened.experiment.config.image.resize in OWN_SIZE:
        return {}
    out: dict[str, str] = {}
    for fold in sorted({*folds}):
        own = [n for n, number in enumerate(folds) if number == fold]
        net = opened.predictor.net(fold)
        if not isinstance(net, Net):  # a probe has no maps of its own
            return {}
        places = opened.predictor.index.rows(ids[n] for n in own)
        images = gather(opened.predictor.images("valid"), places)
        try:
            maps = activation_maps(net, images, [targets[n] for n in own])
        except Exception as problem:  # pytorch-grad-cam and networks raise whatever they like
            say(f"no activation maps: {type(problem).__name__}: {problem}")
            return {}
        if maps is None:
            say(f"no activation maps: the last maps of {type(net.module).__name__} are not known")
            return {}
        for n, pixels, heat in zip(own, images, maps, strict=True):
            out[ids[n]] = embedded(shrunk(painted(picture_of(pixels), heat), side))
    return out


def mask_activations(
    opened: OpenedRun, evidence: MaskEvidence, counts: Array, ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """For some images of a segmentation, by id: what the network of its fold looked at for the
    class that it gets worst, as a picture with its caption; none where `activation_pictures` has
    none.

    counts: (N, C, 4) of the images of the evidence.
    """
    names, index = opened.experiment.task.column_names(opened.part.classes), evidence.index
    place = {name: row for row, name in enumerate(index.ids)}
    extra = counts.shape[1] - len(index.classes)
    dice = image_scores(counts, RATIOS["dice"])
    there = counts[..., :3].sum(axis=2) > 0
    there[:, :extra] = False
    columns = {name: int(np.where(there, dice, 2.0)[place[name]].argmin()) for name in ids}
    folds = dict(zip(opened.plan.ids, opened.plan.fold.tolist(), strict=True))
    targets = {name: class_target(column, 1) for name, column in columns.items()}
    seen = _explained(
        opened, ids, [folds[name] for name in ids], [targets[name] for name in ids], _LARGE
    )
    return {
        name: {"caption": f"spoke for {names[columns[name]]}", "src": source}
        for name, source in seen.items()
    }


def explained_target(found: OofAnswers, row: int) -> Target:
    """What the map of a row explains: the logit of its answer; of columns that of the cell that is
    most wrong; of numbers the one that is furthest off."""
    if found.kind == "numbers":
        return class_target(int(found.off[row].argmax()), 1)
    if found.task.link.steps != "none":
        return class_target(0, 1)  # one number, or steps of it
    if found.target.ndim == 1:
        label = int(found.labels[row])
        one = found.probs.shape[1] == 1
        return class_target(0 if one else label, 1 if label or not one else -1)
    cells = np.where(found.truth[row], 1 - found.chance[row], found.chance[row])
    worst = int((cells * found.known[row]).argmax())
    return class_target(worst, 1 if found.said[row, worst] else -1)


def painted(image: Array, heat: Array) -> Array:
    """An image (H, W, 3) uint8 with a map (H, W) in [0, 1] over it, the brighter the more."""
    level = (np.clip(heat, 0, 1) * 255).astype(np.uint8)
    colours = cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS)[:, :, ::-1]
    mixed = (1 - _SHARE) * image.astype(np.float32) + _SHARE * colours
    return np.asarray(mixed.round().astype(np.uint8))


def look_slices(opened: OpenedRun, found: OofAnswers, form: PixelForm, seed: int) -> list[Slice]:
    """The score by size, shape and brightness of up to 2,000 images, evenly taken from all."""
    step = -(-len(found) // _MEASURED)
    rows = np.arange(0, len(found), step)
    looks = np.array(list(_looks(opened.part, rows, form)), dtype=float).reshape(-1, 3)
    there = np.isfinite(looks).all(axis=1)
    rows, looks = rows[there], looks[there]
    kinds = ("size in megapixels", "width over height", "brightness")
    parts = [
        binned_slices(found, kind, rows, looks[:, n], _FIFTHS, seed) for n, kind in enumerate(kinds)
    ]
    return [part for some in parts for part in some]


def _looks(index: Index, rows: Array, form: PixelForm) -> Any:
    sources = [index.source(int(row)) for row in rows]
    return read_ahead(partial(_look, form=form), sources, cores())


def _look(source: Source, form: PixelForm) -> tuple[float, float, float]:
    """Megapixels, width over height, mean brightness; NaN where a file cannot be read."""
    try:
        pixels = read_picture_of(source, form)
    except CompError:
        return float("nan"), float("nan"), float("nan")
    height, width = pixels.shape[:2]
    return height * width / 1e6, width / height, float(pixels.mean()) / 255
