"""`comp status` as a table or as JSON. Plain text: it has to be there at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from comp.progress import say

if TYPE_CHECKING:
    from comp.stages.status import FoldStatus, Status


def print_status(status: Status, options: str, as_json: bool) -> None:
    """A line a fold, the time that is left, and the next command with its `options`."""
    if as_json:
        print(json.dumps(status.plain(), indent=2, ensure_ascii=False))
        return
    plan = "no plan yet" if status.plan is None else f"plan {status.plan[:8]}"
    print(f"{status.name}: {plan}, {len(status.folds)} folds")
    for fold in status.folds:
        print(f"  fold {fold.fold}  {_line(fold)}")
    left = status.seconds_left
    if left:
        print(f"  about {left / 3600:.2f} h of training left, at the speed of the last epochs")
    if status.submission:
        print(f"  submission: {status.submission}")
    command = status.next
    say(f"next: {command}{options}" if command.startswith("comp ") else command)


def _line(fold: FoldStatus) -> str:
    parts = [f"{fold.state:8}", f"epoch {fold.epochs}/{fold.of}"]
    if fold.step:
        parts.append(f"and {fold.step} steps")
    if fold.best is not None:
        parts.append(f"best {fold.best:.4f} (epoch {fold.best_epoch})")
    if fold.seconds is not None:
        parts.append(f"{fold.seconds:.0f} s an epoch")
    if fold.predicted:
        parts.append(f"predicted: {', '.join(fold.predicted)}")
    if fold.held:
        parts.append(f"held by {fold.held}")
    return "  ".join(parts)
