"""The log of a fold in training: its history, a line per epoch, the time that is left."""

from __future__ import annotations

import csv
import io

from comp.core import files
from comp.core.progress import say
from comp.train.job import Job
from comp.train.train_state import TrainState


def history_csv(history: list[dict[str, float]]) -> str:
    """The history as the text of `history.csv`: a row per epoch, counted from 0."""
    table = io.StringIO(newline="")
    out = csv.writer(table, lineterminator="\n")
    out.writerow(history[0])
    out.writerows([format(value, ".10g") for value in row.values()] for row in history)
    return table.getvalue()


def report(
    job: Job, row: dict[str, float], improved: bool, seconds: float, *, whole: bool, skipped: int
) -> None:
    """Print the result of an epoch, unless it is drawn, and add it to the log of the fold."""
    scored = "not validated"
    if job.validated:
        scored = f"valid {row['valid_loss']:.4f}  {job.metric.name} {row[job.metric.name]:.4f}"
        scored += " *" * improved
    line = (
        f"{job.name}  epoch {row['epoch'] + 1:.0f}/{job.config.train.epochs}  "
        f"lr {row['lr']:.2e}  loss {row['train_loss']:.4f}  {scored}  {seconds:.1f} s"
        + (f"  {skipped} skipped" if skipped else "")
        + ("" if whole else "  (the rest of it)")
    )
    if job.watch is None:
        say(line)
    files.append_line(job.run.log, line)


def estimate_end(job: Job, state: TrainState, seconds: float) -> None:
    """Say once, after the first epoch of this command, whether all its folds can end in time."""
    left = job.stop.left
    if left is None or job.stop.estimated:
        return
    job.stop.estimated = True
    rest = job.config.train.epochs - state.epoch + job.stop.later_epochs
    fits = int(left // seconds) if seconds > 0 else rest
    enough = f"enough for {fits} of the" if fits < rest else "enough for the"
    say(
        f"about {seconds:.0f} s per epoch and {left / 3600:.2f} h left: {enough} {rest} epochs "
        "that these folds still need"
    )
