"""All that the folds of an experiment are trained on beside the labelled images of its index."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.config.schema import ImageConfig
from comp.config.workspace import RunDir
from comp.core import checksums, files
from comp.core.errors import DataError, RunError
from comp.core.progress import say
from comp.data.cache.image_range import span_of
from comp.data.cache.pack import open_pack
from comp.data.folds.plan import FoldPlan
from comp.data.index.index import Index
from comp.data.loader.beside import Beside
from comp.stages.experiment import Experiment, read_test_images
from comp.stages.extras.aux_columns import read_aux
from comp.stages.extras.clean import Doubts, doubts_of, write_doubts
from comp.stages.extras.external import External, read_external
from comp.stages.extras.pseudo_files import Learned, read_pseudo
from comp.stages.extras.teacher import own_targets, soft_targets, teacher_digest, teacher_probs
from comp.train.aux import AuxColumn

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sources:
    """What is read when a fold needs it. A refit, whose number is beyond those of the folds, has
    the sources of one of them.

    `image`  the image settings, with the range of the training images
    """

    experiment: Experiment
    index: Index
    plan: FoldPlan
    image: ImageConfig
    _found: dict[int, Doubts] = field(default_factory=dict, repr=False)

    @property
    def _any(self) -> bool:
        config = self.experiment.config
        train = config.train
        beside = config.data.extra or config.data.aux
        return bool(beside or train.pseudo or train.teacher or train.clean)

    def refuse_changes(self, fold: int, run: RunDir) -> None:
        """RunError where a finished fold was trained on something else than is there now."""
        if not self._any or not run.done.is_file():
            return
        then = files.read_json(run.done, RunError).get("sources", "")
        if then != self.digest(fold):
            raise RunError(
                f"{run.path}: trained on other extra images, pseudo-labels or doubts, or with "
                "another teacher: their files have changed since. Bring the old ones back, train "
                "under another `name`, or start the fold over with `comp train --restart`."
            )

    def digest(self, fold: int) -> str:
        """Of everything that the fold is trained on beside the index; "" where there is nothing."""
        if not self._any:
            return ""
        cache = self.experiment.workspace.cache
        parts = [f"{e.index.fingerprint} {e.index.contents(cache)}" for e in self.external]
        pseudo = self._learned(fold)
        parts += [] if pseudo is None else [pseudo.digest]
        if self.experiment.config.train.teacher is not None:
            parts.append(teacher_digest(self.experiment, self.plan, fold % self.plan.count))
        for one in self.aux:
            digest = checksums.digest_text(repr(one.values.tolist()))
            parts.append(f"{one.name} {one.loss} {one.weight} {digest}")
        if self.experiment.config.train.clean is not None:
            parts.append(self._doubts(fold).digest)
        return checksums.digest_lines(parts)

    def kept(self, fold: int, rows: Array, run: RunDir) -> Array:
        """The training rows without those that `train.clean` drops; its table is written."""
        if self.experiment.config.train.clean is None:
            return rows
        doubts = self._doubts(fold)
        run.path.mkdir(parents=True, exist_ok=True)
        write_doubts(doubts, self.index, run.cleaned)
        say(f"fold {fold}: {doubts.told}")
        return np.setdiff1d(rows, doubts.dropped)

    def beside(self, fold: int) -> tuple[Beside, ...]:
        """The images that the fold is trained on beside those of the index, packed."""
        out = [
            Beside(
                self._images(found.index),
                np.arange(len(found.index)),
                found.index.labels,
                found.share,
            )
            for found in self.external
        ]
        pseudo, wanted = self._learned(fold), self.experiment.config.train.pseudo
        if pseudo is not None and wanted is not None:
            out.append(Beside(self._images(pseudo.index), pseudo.rows, pseudo.target, wanted.share))
        return tuple(out)

    def soft(self, fold: int, columns: int) -> Array | None:
        """(N, C) what is learned of the images of the index: the shares of its table, what is left
        of doubted labels, and what a teacher says; None where the labels are."""
        train = self.experiment.config.train
        teacher = train.teacher
        doubts = None if train.clean is None else self._doubts(fold)
        changed = doubts is not None and doubts.changes
        if teacher is None and self.index.shares is None and not changed:
            return None
        own = own_targets(self.index, columns)
        if doubts is not None:
            own = doubts.applied(own)
        if teacher is None:
            return own
        taught = teacher_probs(self.experiment, self.index, self.plan, fold % self.plan.count)
        return soft_targets(own, self.index, taught, teacher, self.experiment.task)

    @cached_property
    def aux(self) -> tuple[AuxColumn, ...]:
        """The columns of `data.aux`."""
        return read_aux(self.experiment, self.index)

    @cached_property
    def external(self) -> list[External]:
        """The images of `data.extra`."""
        if not self.experiment.config.data.extra:
            return []
        test: Index | None = None
        data = self.experiment.data
        if Path(data.root, data.test_images).is_dir():
            try:
                test = read_test_images(self.experiment, self.index.classes)
            except DataError:  # training needs no test images; `comp predict` says what is wrong
                test = None
        return read_external(self.experiment, self.index, test, span_of(self.image))

    def _doubts(self, fold: int) -> Doubts:
        own = fold % self.plan.count
        if own not in self._found:
            self._found[own] = doubts_of(self.experiment, self.index, self.plan, own)
        return self._found[own]

    def _learned(self, fold: int) -> Learned | None:
        wanted = self.experiment.config.train.pseudo
        if wanted is None:
            return None
        own = fold % self.plan.count
        return read_pseudo(self.experiment, wanted.name, self.index, self.plan, own)

    def _images(self, index: Index) -> Any:
        return open_pack(index, self.image, self.experiment.workspace.cache, masks=False).images
