"""What an ensemble is without some of its runs: refitted out of fold, one run fewer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comp.core.progress import say
from comp.ensemble.compare import BlendRow, judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.mask_evidence import MaskEvidence
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.ensemble.weights import WEIGHERS, read_weights
from comp.stages.ensembling.kinds import find_shift, make_evidence
from comp.stages.ensembling.members import Ground
from comp.stages.ensembling.outside import gather

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Reduced:
    """An ensemble of some runs: `row` is what was fitted for them and what it scores."""

    runs: tuple[str, ...]
    row: BlendRow


def reductions(ground: Ground, runs: Sequence[str]) -> list[Reduced]:
    """The ensemble of all runs, then each time without the one that is missed least.

    Which that is, is decided by the honest score of what is left: votes, weights and rules of the
    config are fitted anew each time.
    """
    models = gather(ground, runs, (), None)
    evidence: Any = make_evidence(ground, models, find_shift(ground, models))
    names = tuple(model.name for model in models)
    out = [Reduced(names, _judged(ground, evidence, names, names))]
    while len(out[-1].runs) > 1:
        left = out[-1].runs
        metric = ground.experiment.metric
        best: Reduced | None = None
        for gone in reversed(left):  # of equals the last one goes
            kept = tuple(name for name in left if name != gone)
            found = Reduced(kept, _judged(ground, evidence, names, kept))
            honest = found.row.scores.honest
            if best is None or metric.better(honest, best.row.scores.honest):
                best = found
        assert best is not None, "there are two runs at least"
        out.append(best)
    return out


def _judged(
    ground: Ground, evidence: Any, names: tuple[str, ...], kept: tuple[str, ...]
) -> BlendRow:
    config = ground.experiment.config
    places = [names.index(name) for name in kept]
    weigher, given = config.ensemble.weights, None
    if weigher not in WEIGHERS:
        given = read_weights(ground.experiment.path(weigher), list(names))[places]
    fitting = Fitting(config.ensemble.tune, config.seed, given)
    return judge_row(part_of(evidence, places), VOTES[config.ensemble.vote], weigher, fitting)


def part_of(evidence: Any, places: Sequence[int]) -> TableEvidence | MaskEvidence:
    """The evidence of some of its members."""

    def cut(values: Sequence[Any]) -> Any:
        return tuple(values[place] for place in places) if values else values

    if isinstance(evidence, MaskEvidence):
        return replace(evidence, maps=cut(evidence.maps), rows=cut(evidence.rows))
    table: TableEvidence = evidence
    return replace(table, probs=cut(table.probs), own_folds=cut(table.own_folds))


def pruned(found: Sequence[Reduced], ground: Ground) -> Reduced:
    """The fewest runs whose honest score is not below that of all, or of more runs."""
    metric = ground.experiment.metric
    best = found[0]
    for other in found[1:]:
        if not metric.better(best.row.scores.honest, other.row.scores.honest):
            best = other
    if best is found[0]:
        say(f"--prune: every one of the {len(best.runs)} runs helps out of fold; none is left out")
    else:
        gone = [name for name in found[0].runs if name not in best.runs]
        say(
            f"--prune: without {', '.join(gone)}; honest {found[0].row.scores.honest:.4f} -> "
            f"{best.row.scores.honest:.4f}. (It is chosen by this number, so it flatters a little.)"
        )
    return best
