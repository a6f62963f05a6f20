"""`comp status` as a table or as JSON. Plain text: it has to be there at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comp.core.progress import say
from comp.core.terminal import json_text, tell

if TYPE_CHECKING:
    from comp.stages.status import FoldStatus, Status


def print_status(status: Status, options: str, as_json: bool) -> None:
    """A line per fold, the time that is left, and the next command with its `options`."""
    if as_json:
        command = {"next": _command(status, options)}
        print(json_text({**status.plain(), **command}))  # without loading Rich
        return
    if status.stage is not None:
        _tell_folds(status.stage)
        tell(f"  its boxes: {'found' if status.boxes else 'not yet, or of other checkpoints'}")
    _tell_folds(status)
    if status.submission:
        tell(f"  submission: {status.submission}{'' if status.current else '  (out of date)'}")
    say(_next(status, options))


def _tell_folds(status: Status) -> None:
    """The plan, a line per fold, and the time that is left."""
    plan = status.plan_note or ("no plan yet" if status.plan is None else f"plan {status.plan[:8]}")
    tell(f"{status.name}: {plan}, {len(status.folds)} folds")
    for fold in status.folds:
        tell(f"  fold {fold.fold}  {_line(fold)}")
    for refit in status.refits:
        tell(f"  refit {refit.fold}  {_line(refit)}  not validated")
    left = status.seconds_left
    if left:
        tell(f"  about {left / 3600:.2f} h of training left, at the speed of the last epochs")


def describe_left(status: Status, options: str) -> str:
    """What is left to train, and the next command."""
    left = [
        f"fold {fold.fold} from epoch {fold.epochs + 1} step {fold.step} of {fold.of} epochs"
        for fold in status.folds
        if fold.state != "done"
    ]
    return "\n".join(["left: " + (", ".join(left) or "nothing"), _next(status, options)])


def _next(status: Status, options: str) -> str:
    command = _command(status, options)
    return f"next: {command}" if command.startswith("comp ") else command


def _command(status: Status, options: str) -> str:
    return f"{status.next}{options}" if status.next.startswith("comp ") else status.next


def _line(fold: FoldStatus) -> str:
    parts = [f"{fold.state:8}", f"epoch {fold.epochs}/{fold.of}"]
    if fold.step:
        parts.append(f"and {fold.step} steps")
    if fold.best is not None:
        parts.append(f"best {fold.best:.4f} (epoch {fold.best_epoch})")
    if fold.seconds is not None:
        parts.append(f"{fold.seconds:.0f} s per epoch")
    if fold.predicted:
        parts.append(f"predicted: {', '.join(fold.predicted)}")
    if fold.held:
        parts.append(f"held by {fold.held}")
    if fold.changed:
        parts.append(f"begun with another config: {', '.join(fold.changed[:3])}")
    if fold.note:
        parts.append(fold.note)
    return "  ".join(parts)
