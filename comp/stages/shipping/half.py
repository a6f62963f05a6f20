"""What fp16 weights change: the validation parts predicted again, and decided by the same rule."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from comp.bundles.weights import halved, weights_of
from comp.data.cache.image_range import with_range
from comp.data.cache.pack import open_pack
from comp.ensemble.evidence import Fit
from comp.ensemble.votes import Vote
from comp.inference.outputs import make_output
from comp.inference.predict import net_of, predict_pieces
from comp.inference.predictions import Predictions, join, save_pieces
from comp.stages.ensembling.kinds import find_shift, make_evidence
from comp.stages.ensembling.members import Ground, Model, run_experiment
from comp.stages.ensembling.outside import gather
from comp.train.checkpoints import checkpoint
from comp.train.hardware.choice import device_of

Array = np.ndarray[Any, Any]

_LOSS = 1e-4  # of the score: less is the last digit that a board shows


@dataclass(frozen=True)
class Halved:
    """Out of fold, with the rule of the bundle: `changed` of `of` images are decided otherwise,
    and the score goes from `before` to `after`."""

    changed: int
    of: int
    before: float
    after: float
    stays: bool


def judge_half(ground: Ground, runs: Sequence[str], vote: Vote, fit: Fit) -> Halved:
    """Predict the validation parts of all folds with fp16 weights and compare the answers."""
    models = gather(ground, runs, (), None)
    shift = find_shift(ground, models)
    with tempfile.TemporaryDirectory(prefix="comp-half-") as folder:
        others = [_halved(ground, model, Path(folder)) for model in models]
        before: Any = make_evidence(ground, models, shift)
        after: Any = make_evidence(ground, others, shift)
        one, two = before.decide(vote, fit), after.decide(vote, fit)
        scores = float(before.score(one)), float(after.score(two))
    metric = ground.experiment.metric
    worse = scores[0] - scores[1] if metric.greater_is_better else scores[1] - scores[0]
    stays = not worse > _LOSS * max(1.0, abs(scores[0]))
    return Halved(int(_differ(ground, one, two).sum()), len(one), *scores, stays)


def _differ(ground: Ground, one: Array, two: Array) -> Array:
    """(N,) bool: which images are decided otherwise, from what the metric takes."""
    task, metric = ground.experiment.task, ground.experiment.metric
    if metric.wants == "probs" and not task.spatial and not task.link.measures:
        one, two = task.decide(one), task.decide(two)
    return np.asarray((one != two).reshape(len(one), -1).any(axis=1))


def _halved(ground: Ground, model: Model, folder: Path) -> Model:
    """The model with the out-of-fold rows of its folds with fp16 weights."""
    experiment = run_experiment(model.name, ground.experiment)
    config, task, index = experiment.config, experiment.task, ground.index
    image = with_range(config.image, index, experiment.workspace.cache)
    pack = open_pack(index, image, experiment.workspace.cache, masks=False)
    output, device = make_output(task, config, index), device_of(config)
    parts = []
    for test in model.tests:
        if "refit" in test.source:  # it has no out-of-fold rows to compare
            continue
        number = int(test.source["fold"])
        run = experiment.workspace.fold(number)
        known = Predictions.load(run.valid)
        saved = checkpoint.load(run.path / str(test.source["checkpoint"]))
        weights = halved(weights_of(saved, config.model.lora_scale))
        net = net_of({**saved, "ema": None, "model": weights}, config, task, device)
        rows = np.asarray(index.rows(known.ids))
        batch = config.predict.batch_size or 2 * config.train.batch_size
        pieces = predict_pieces(
            net,
            task,
            pack.images,
            rows,
            output,
            tta=str(known.source["tta"]),
            batch_size=batch,
            name=f"{model.name} fold {number} in fp16",
        )
        place = folder / f"{model.name}_{number}"
        place.mkdir()
        save_pieces(place, known.ids, pieces, known.classes, known.link, known.source)
        parts.append(Predictions.load(place))
    assert model.oof is not None, "a run has out-of-fold rows"
    joined = join(parts).align(model.oof.ids)
    return replace(model, oof=replace(joined, source=model.oof.source))
