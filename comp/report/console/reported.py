"""What `comp report` prints: the sentences of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comp.core.terminal import tell
from comp.ensemble.compare import without_nan
from comp.ensemble.cross_fit import FEW_UNITS
from comp.report.console.printing import print_json

if TYPE_CHECKING:
    from comp.report.run.versus import Difference
    from comp.stages.reporting.report import Reported
    from comp.stages.reporting.versus import Versus


def print_reported(made: Reported, *, as_json: bool) -> None:
    """What the run says in words, and what to try next."""
    shown = made.shown
    if as_json:
        scores = None if made.scores is None else without_nan(made.scores)
        units = {"scores": scores, "units": made.units, "few_units": made.units < FEW_UNITS}
        print_json({"summary": shown.sentences, "next": shown.hints, **units})
        return
    for sentence in shown.sentences:
        tell(sentence)
    for hint in shown.hints:
        tell(f"- {hint}")


def _plain(gain: Difference) -> dict[str, Any]:
    """A difference for JSON: what is undefined is None; `certain`: more than noise."""
    values = {k: None if v != v else v for k, v in vars(gain).items()}
    return {**values, "certain": gain.certain}


def print_versus(found: Versus, *, as_json: bool) -> None:
    """Whether runs differ by more than noise, and what each adds to the blend."""
    if as_json:
        first = found.runs[0].name
        print_json(
            {
                "runs": {run.name: without_nan(run.found.scores) for run in found.runs},
                "gains": {
                    run.name: {"over": first, **_plain(gain)}
                    for run, gain in zip(found.runs[1:], found.differences, strict=True)
                },
                "adds": {b.without: _plain(b.adds) for b in found.blends if b.adds is not None},
                "blend": {
                    **without_nan(found.blends[0].scores),
                    "over": found.lead[0],
                    **_plain(found.lead[1]),
                },
                "summary": list(found.sentences),
            }
        )
        return
    for sentence in found.sentences:
        tell(sentence)
