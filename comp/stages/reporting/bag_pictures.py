"""Pictures of which images of a bag its answer came from, for the page of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.data.cache.bag_store import BagImages
from comp.inference.attended import attended
from comp.models.networks import Net
from comp.report.page import embedded
from comp.report.run.answers import OofAnswers
from comp.report.run.bag_strips import MOST, shown, strip
from comp.stages.reporting.opened import OpenedRun
from comp.stages.reporting.pictures import explained_target

_WORST, _BEST = 8, 4  # bags that are shown


def bag_pictures(opened: OpenedRun, found: OofAnswers) -> list[dict[str, Any]]:
    """A strip for each of the worst and of the best answers, with its caption, for the template;
    none where answers are of single images, or where images are the channels of one."""
    if opened.experiment.config.data.bag is None:
        return []
    store = opened.predictor.images("valid")
    assert isinstance(store, BagImages), "an index of bags has bags of images"
    place = dict(zip(opened.predictor.index.ids, range(len(store)), strict=True))
    order = np.argsort(-found.badness, kind="stable").tolist()
    several = [row for row in order if store.size(place[found.ids[row]]) > 1]
    best = [row for row in reversed(several) if not found.wrong[row]][:_BEST]
    rows = list(dict.fromkeys([*several[:_WORST], *best]))
    nets: dict[int, Any] = {}
    out = []
    for row in rows:
        fold, where = int(found.fold[row]), place[found.ids[row]]
        if fold not in nets:
            nets[fold] = opened.predictor.net(fold)
        images = store[where]
        assert isinstance(nets[fold], Net), "a probe answers for single images"
        seen = attended(nets[fold], images, explained_target(found, row))
        if seen is None:
            return []
        chosen = shown(seen.values)
        picture = strip([images[n] for n in chosen], seen.values[chosen], weights=seen.weights)
        cut = f", the {MOST} of {len(images)} that counted most" if len(images) > MOST else ""
        caption = (
            f"{found.ids[row]}: {found.truth_text(row)}, answered {found.answer_text(row)} (fold "
            f"{fold}){cut}"
        )
        out.append({"src": embedded(picture), "caption": caption, "weights": seen.weights})
    return out
