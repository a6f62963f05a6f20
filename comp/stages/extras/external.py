"""`data.extra`: labelled images of other data sets, which are only trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from comp.config.schema import DataConfig
from comp.config.sources import ExtraConfig
from comp.core.errors import DataError, first
from comp.core.progress import say
from comp.data.images.pixel_form import PixelForm
from comp.data.index.index import Index
from comp.data.labels.class_map import mapped
from comp.data.layouts.layouts import read_index
from comp.stages.experiment import Experiment
from comp.stages.extras.near_copies import Copies, near_copies
from comp.tasks.kinds import TASKS

_NO_TEST = ".no-test-images"


@dataclass(frozen=True)
class External:
    """The images of one entry of `data.extra`, in the classes of the experiment."""

    index: Index
    share: float | None


def read_external(
    experiment: Experiment, index: Index, test: Index | None, form: PixelForm
) -> list[External]:
    """The images of every entry of `data.extra`.

    Copies of images of `index` or `test` are refused or left out, as the entry says: on the first,
    validation would measure what was trained on; of the second the answers would be known.
    Raises DataError for what is wrong there, and for copies.
    """
    out = []
    for number, extra in enumerate(experiment.config.data.extra):
        where = f"data.extra.{number} ({extra.root})"
        try:
            theirs = _read(experiment, extra)
        except DataError as problem:  # its keys are those of the entry
            text = re.sub(r"\bdata\.(?!extra)(?=[a-z_]+)", f"data.extra.{number}.", str(problem))
            raise DataError(text) from problem
        found = mapped(theirs, index.classes, extra.map, experiment.task, where)
        here = [index] if test is None else [index, test]
        copies = near_copies(found, here, experiment.workspace.cache, form, where)
        found = _without(found, copies, extra, where)
        say(f"{where}: {len(found)} images, only trained on")
        out.append(External(found, extra.share))
    return out


def _read(experiment: Experiment, extra: ExtraConfig) -> Index:
    own = extra.model_dump(exclude={"map", "share", "copies"}, exclude_unset=True)
    data = DataConfig(**own, test_images=_NO_TEST, sample_submission=None)
    data = data.at(experiment.workspace.root)
    task = experiment.task
    if task.target_kind == "class":  # of another number of classes, perhaps
        task = TASKS["multiclass"]
    return read_index(data, task)


def _without(index: Index, copies: Sequence[Copies], extra: ExtraConfig, where: str) -> Index:
    away = {name for found in copies for name in found}
    if not away:
        return index
    lines = [
        f"{len(found)} are copies of {part} images: "
        + first(f"{theirs} of {ours[0]}" for theirs, ours in sorted(found.items()))
        for part, found in zip(("training", "test"), copies, strict=False)
        if found
    ]
    if extra.copies == "refuse":
        raise DataError(
            "\n".join(
                [
                    f"{where}: images there are images here:",
                    *(f"  - {line}" for line in lines),
                    "Remove them there, or leave them out with `copies: drop` in that entry",
                ]
            )
        )
    say(f"{where}: {len(away)} images are left out: {'; '.join(lines)}")
    left = [row for row, name in enumerate(index.ids) if name not in away]
    if not left:
        raise DataError(f"{where}: nothing is left; all images there are copies of images here")
    return index.part(left)
