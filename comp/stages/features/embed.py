"""`comp embed`: the features of a network for all images, made once; probes are fitted on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import USUAL_LEAST
from comp.core import checksums
from comp.core.errors import ConfigError, ModelError, PackError, reason
from comp.core.progress import say
from comp.core.rng import seed_torch
from comp.data.cache.image_range import with_range
from comp.data.cache.pack import open_pack
from comp.data.cache.store import Images
from comp.data.images.pixel_form import form_of, span_of
from comp.data.images.resize import OWN_SIZE
from comp.data.index.index import Index
from comp.inference.features import Features, Wanted, find_features, make_features
from comp.inference.views import AUTO, TTAS, VIEWS
from comp.models.device import choose_device
from comp.models.networks import Net, build_backbone
from comp.stages.bags import refuse_bags
from comp.stages.experiment import Experiment, read_test_images, read_train, sweep_cache

Array = np.ndarray[Any, Any]

PARTS = ("train", "test")
_NAMED = {"none": ("id",), "hflip": ("id", "flip"), "flips": ("id", "flip", "rot180", "flip180")}


@dataclass(frozen=True)
class Embedded:
    """Features of one part (train or test) and one view: how many images and columns, the file,
    its size in bytes, and the seconds that it took to make or to find them."""

    part: str
    view: str
    images: int
    columns: int
    file: Path
    bytes: int
    seconds: float


def embed(experiment: Experiment, *, tta: str | None = None) -> list[Embedded]:
    """Make the features of `model.name` for the training and the test images, where missing.

    tta: the views of test-time augmentation that are made too; None: those of `predict.tta`.
    Raises ModelError for a network that is unknown, has no weights here or gives no vectors.
    """
    refuse_bags(experiment.config, "comp embed")
    index = read_train(experiment)
    test = read_test_images(experiment, index.classes)
    source = FeatureSource(experiment, index, test)
    out = []
    for part in PARTS:
        for view in view_names(experiment.config.predict.tta if tta is None else tta):
            started = time.monotonic()
            found = source.read(part, view)
            file, (images, columns) = found.folder / "features.npy", found.values.shape
            seconds, size = time.monotonic() - started, file.stat().st_size
            out.append(Embedded(part, view, images, columns, file, size, seconds))
    return out


def embed_part(experiment: Experiment, part: str, view: str) -> None:
    """Make the features of one part in one view, where missing."""
    index = read_train(experiment)
    test = read_test_images(experiment, index.classes)
    FeatureSource(experiment, index, test).read(part, view)


def view_names(tta: str) -> Sequence[str]:
    """The views that `predict.tta` means, by their names in VIEWS; of `auto` all eight.

    Raises ConfigError for other names.
    """
    from comp.inference.views import check_tta

    check_tta(tta)
    if tta in (AUTO, "d4"):
        return VIEWS
    return _NAMED[tta] if tta in TTAS else tuple(dict.fromkeys(tta.split("+")))


def mean_of(views: Sequence[Features], rows: Any = slice(None)) -> Array:
    """(n, D) float32: the mean over views of the features of some rows."""
    first, *others = views
    if not others:
        return np.asarray(first.values[rows])
    total = np.array(first.values[rows], np.float64)
    for found in others:
        total += found.values[rows]
    return (total / len(views)).astype(np.float32)


class FeatureSource:
    """The features of the network of an experiment. Opens packs and builds the network only where
    something is to be made."""

    def __init__(self, experiment: Experiment, index: Index, test: Index) -> None:
        self.experiment = experiment
        self.parts = dict(zip(PARTS, (index, test), strict=True))
        self.contents: dict[str, str] = {}
        if experiment.config.image.resize in OWN_SIZE:
            raise ConfigError(
                "image.resize: features are made of images of one size; use stretch, pad or crop"
            )

    def read(self, part: str, view: str) -> Features:
        """Features of the training or the test images in one view; made where they are missing."""
        wanted, cache = self._wanted(part, view), self.experiment.workspace.cache
        found = find_features(wanted, cache)
        if found is not None:
            return found
        config = self.experiment.config
        say(
            f"features of {config.model.name} at {config.image.size} px: {part} images, view {view}"
        )
        size = config.predict.batch_size or 2 * config.train.batch_size
        try:
            return make_features(wanted, cache, lambda: self.net, lambda: self._images(part), size)
        except PackError as problem:
            say(f"{problem}. That is done now; then it goes on")
            images = self._images(part, verify=True)
            return make_features(wanted, cache, lambda: self.net, lambda: images, size)

    def seen(self, part: str) -> list[Features]:
        """The features of the views of `model.views`, of which a probe takes the mean."""
        return [self.read(part, view) for view in view_names(self.experiment.config.model.views)]

    @cached_property
    def net(self) -> Net:
        """The network, without its last layer, on the device."""
        config = self.experiment.config
        if not config.model.pretrained and config.model.weights is None:
            say("warning: model.pretrained: false: the features are those of random weights")
        seed_torch(config.seed, "backbone")
        train = config.train
        device = choose_device(
            train.precision, deterministic=train.deterministic, where=train.device
        )
        return build_backbone(config.model.at(self.experiment.workspace.root), config.image, device)

    def _images(self, part: str, *, verify: bool = False) -> Images:
        cache = self.experiment.workspace.cache
        sweep_cache(cache)
        return open_pack(self.parts[part], self._image, cache, masks=False, verify=verify).images

    @cached_property
    def _image(self) -> Any:
        """The image settings, with the range of the training images."""
        config, cache = self.experiment.config.image, self.experiment.workspace.cache
        return with_range(config, self.parts["train"], cache)

    @cached_property
    def _weights(self) -> str:
        """What the weights are, without building the network."""
        model = self.experiment.config.model.at(self.experiment.workspace.root)
        if model.weights is None:
            return "pretrained" if model.pretrained else f"random {self.experiment.config.seed}"
        try:
            return checksums.digest_file(Path(model.weights))
        except OSError as problem:
            raise ModelError(f"model.weights: {model.weights}: {reason(problem)}") from problem

    def _wanted(self, part: str, view: str) -> Wanted:
        index, image = self.parts[part], self._image
        if part not in self.contents:
            self.contents[part] = index.contents(self.experiment.workspace.cache)
        about = {
            "model": self.experiment.config.model.name,
            "weights": self._weights,
            "pool": self.experiment.config.model.pool,
            "maps": self.experiment.config.model.maps,
            "size": image.size,
            "resize": image.resize,
            "range": span_of(image),
            "mean": image.mean,
            "std": image.std,
            "images": self.contents[part],
        }
        form = form_of(image)
        if not form.plain:
            about["pixels"] = form.settings
        if index.boxes is not None or image.crop != "none":
            about |= {"crop": image.crop, "crop_margin": image.crop_margin}
            if image.crop_least != USUAL_LEAST:
                about["crop_least"] = image.crop_least
        return Wanted(index.ids, about, view)
