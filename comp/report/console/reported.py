"""What `comp report` prints: the sentences of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comp.core.terminal import tell
from comp.report.console.printing import print_json

if TYPE_CHECKING:
    from comp.report.run.page import Shown
    from comp.stages.reporting.versus import Versus


def print_reported(shown: Shown, *, as_json: bool) -> None:
    """What the run says in words, and what to try next."""
    if as_json:
        print_json({"summary": shown.sentences, "next": shown.hints})
        return
    for sentence in shown.sentences:
        tell(sentence)
    for hint in shown.hints:
        tell(f"- {hint}")


def print_versus(found: Versus, *, as_json: bool) -> None:
    """Whether runs differ by more than noise, and what each adds to the blend."""
    if as_json:
        first = found.runs[0].name
        print_json(
            {
                "runs": {run.name: vars(run.found.scores) for run in found.runs},
                "gains": {
                    run.name: {"over": first, **vars(difference)}
                    for run, difference in zip(found.runs[1:], found.differences, strict=True)
                },
                "adds": {b.without: vars(b.adds) for b in found.blends if b.adds is not None},
                "summary": list(found.sentences),
            }
        )
        return
    for sentence in found.sentences:
        tell(sentence)
