"""All that one fold is trained from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import Config
from comp.config.workspace import RunDir
from comp.data.cache.mask_store import MaskStore
from comp.data.cache.store import Images
from comp.data.images.deep import Span
from comp.data.loader.batched.resident import Resident
from comp.data.loader.beside import Beside
from comp.models.device import Device
from comp.models.networks import Net
from comp.tasks.counts import UNKNOWN
from comp.tasks.kinds import Task
from comp.tasks.metrics import Metric
from comp.tasks.number_losses import outputs_per_number
from comp.train.aux import AuxColumn
from comp.train.hardware.world import ALONE, World
from comp.train.live.beat import Beat
from comp.train.stop import Stop

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Job:
    """One fold of one run.

    `images`, `target`  of the whole index: (N, S, S, 3) uint8 and (N, ...)
    `train_rows`, `valid_rows`  the rows of the index that the fold is trained and validated on
    `plan`        the fingerprint of the fold plan
    `mask_paths`  the mask files of the index, where CutPaste has some
    `masks`       the masks of the index, for segmentation; the target then says which classes each
                  image holds
    `show`        called every `train.show_every` epochs with the job, the network, its
                  `comp.train.validate.Validation` and the epoch
    `watch`       called a few times a second with the fold's `Beat` and its history so far, by who
                  draws them; None: a line per epoch is printed
    `content`     a digest of the sizes of the image files; "" where it is not known
    `files`       a digest of the content of the image files; "" where it is not known
    `workspace`   the folder that paths of the config are relative to
    `span`        the values of deep pixels that are black and white (`image.range`)
    `command`     what was called, for the record; None: the command line of this process
    `beside`      images that are only trained on, beside those of the index
    `soft`        (N, C) float32: what is learned of the images of the index in the place of the
                  target; unknown cells stay unknown
    `resident`    the images, where they stay on the device
    `aux`         columns that are learned beside the answer
    `world`       the processes that train it together
    `sources`     a digest of `beside` and `soft`; "" without them
    `weights`     (N,) how much each image of the index counts (`data.weight`), or None
    `factors`     (N,) by which the loss counts it less (`train.clean`), or None; no score does
    """

    config: Config
    task: Task
    metric: Metric
    fold: int
    images: Images
    target: Array
    classes: tuple[str, ...]
    train_rows: Array
    valid_rows: Array
    plan: str
    run: RunDir
    device: Device
    workers: int
    mask_paths: tuple[Path | None, ...] | None = None
    masks: MaskStore | None = None
    show: Callable[[Job, Net, Any, int], None] | None = None
    watch: Callable[[Beat, list[dict[str, float]]], None] | None = None
    stop: Stop = field(default_factory=Stop)
    content: str = ""
    files: str = ""
    workspace: Path = Path()
    command: str | None = None
    span: Span = None
    beside: tuple[Beside, ...] = ()
    soft: Array | None = None
    aux: tuple[AuxColumn, ...] = ()
    sources: str = ""
    resident: Resident | None = None
    weights: Array | None = None
    factors: Array | None = None
    world: World = ALONE

    @property
    def name(self) -> str:
        """What the job is called in messages: a fold, or a refit of all images."""
        return f"fold {self.fold}" if self.validated else self.run.path.name.replace("_", " ")

    @cached_property
    def loss_weights(self) -> Array | None:
        """(N,) float32: the weights in the loss, 1 on average over the training part."""
        if self.weights is None and self.factors is None:
            return None
        one = np.ones(len(self.target), dtype=np.float64)
        own = (one if self.weights is None else self.weights) * (
            one if self.factors is None else self.factors
        )
        return np.asarray(own / own[self.train_rows].mean(), dtype=np.float32)

    def score(self, rows: Array, answer: Array) -> float:
        """The score of the answers to some rows of the index."""
        weights = self.metric.row_weights(self.weights)
        own = None if weights is None else weights[rows]
        return self.metric.score(self.target[rows], answer, len(self.classes), own)

    @property
    def validated(self) -> bool:
        """Whether there are images that it is not trained on."""
        return len(self.valid_rows) > 0

    @cached_property
    def unknown(self) -> bool:
        """Whether some cells of the targets are unknown."""
        own = self.target if self.soft is None else self.soft
        targets = [own, *(part.target for part in self.beside)]
        return not self.task.link.measures and any((t == UNKNOWN).any() for t in targets)

    @property
    def per_number(self) -> int:
        """How many outputs the network has for each column of numbers; 0 for classes."""
        loss = self.config.train.loss
        return outputs_per_number(loss) if self.task.link.measures else 0

    @property
    def columns(self) -> int:
        """C, the number of outputs of the network."""
        return self.task.columns(len(self.classes))
