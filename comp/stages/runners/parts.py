"""Commands beside training whose pieces others may do: each asks for them, then finds them done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.stages.check import Checked, check
from comp.stages.experiment import Experiment
from comp.stages.pack import Packed, join_packed, pack
from comp.stages.runners.where import Where

if TYPE_CHECKING:
    from comp.stages.features.embed import Embedded
    from comp.stages.predict import Predictor

PIECES = 16  # that images are measured and packed in


def predict_on(where: Where, predictor: Predictor, folds: list[int]) -> list[Path]:
    """Predict folds as `Predictor.run` does, and what that gives; `where` says what predicts."""
    missing = {} if where.on == "local" else predictor.missing(folds)
    if missing:
        if predictor.experiment.config.model.probe is None:
            for part in predictor.parts:
                predictor.images(part)  # packed once, before
        _share_out(where, predictor.experiment, [*missing], "predict")
    written = [path for paths in missing.values() for path in paths]
    return written + predictor.run(folds)


def check_on(
    where: Where,
    experiment: Experiment,
    *,
    accept_groups: bool = False,
    skip: bool = False,
    allow_extra_images: bool = False,
) -> Checked:
    """Check as `comp.stages.check.check` does; `where` says what measures the images."""
    if where.on != "local":
        _share_out(where, experiment, range(PIECES), "check", parts=PIECES)
    return check(
        experiment, accept_groups=accept_groups, skip=skip, allow_extra_images=allow_extra_images
    )


def pack_on(where: Where, experiment: Experiment, *, verify: bool = False) -> list[Packed]:
    """Pack as `comp.stages.pack.pack` does; `where` says what packs the images. Masks are packed
    here."""
    if where.on != "local":
        _share_out(where, experiment, range(PIECES), "pack", shards=PIECES)
        join_packed(experiment, PIECES)
    return pack(experiment, verify=verify)


def embed_on(where: Where, experiment: Experiment, tta: str | None = None) -> list[Embedded]:
    """Embed as `comp.stages.features.embed.embed` does; `where` says what makes the features, a
    part and a view at a time."""
    from comp.stages.features.embed import PARTS, embed, view_names

    if where.on != "local":
        views = view_names(experiment.config.predict.tta if tta is None else tta)
        wanted = [[part, view] for part in PARTS for view in views]
        pack(experiment)
        _share_out(where, experiment, range(len(wanted)), "embed", wanted=wanted)
    return embed(experiment, tta=tta)


def _share_out(
    where: Where, experiment: Experiment, pieces: Sequence[int], work: str, **options: Any
) -> None:
    from comp.stages.runners.table import share_out

    share_out(where, experiment, pieces, work=work, options=options)
