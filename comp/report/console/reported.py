"""What `comp report` prints: the sentences of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comp.core.terminal import tell
from comp.report.console.printing import print_json

if TYPE_CHECKING:
    from comp.report.run.page import Shown


def print_reported(shown: Shown, *, as_json: bool) -> None:
    """What the run says in words, and what to try next."""
    if as_json:
        print_json({"summary": shown.sentences, "next": shown.hints})
        return
    for sentence in shown.sentences:
        tell(sentence)
    for hint in shown.hints:
        tell(f"- {hint}")
