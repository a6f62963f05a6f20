"""`--devices 0,1 --together`: one fold on all these devices, by torchrun.

torchrun starts a process per device and ends all when one dies; then they are started again and go
on from the last checkpoint. Signals are passed on to it, and it passes them on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import comp
from comp.core import progress
from comp.core.errors import CompError, Interrupted, OutOfTime, TrainError
from comp.core.progress import say
from comp.stages.runners.order import Order, error_of, train_piece
from comp.stages.runners.slots import Slot
from comp.train.stop import Stop

STARTS = 3  # of one fold, after which it is given up
_WAIT = 0.5


def train_together(
    slots: Sequence[Slot], order: Order, folds: Sequence[int], stop: Stop
) -> list[tuple[int, CompError]]:
    """Train each fold by all slots at once; the folds that failed, with their errors.

    Raises Interrupted and OutOfTime when a checkpoint is written.
    """
    failed = []
    with stop.listening(), stop.at_a_step(), tempfile.TemporaryDirectory() as folder:
        for fold in folds:
            problem = _train(slots, order, fold, stop, Path(folder))
            if isinstance(problem, (Interrupted, OutOfTime)):
                stop.leave(f"in fold {fold}")
            if problem is not None:
                failed.append((fold, problem))
    return failed


def _train(
    slots: Sequence[Slot], order: Order, fold: int, stop: Stop, folder: Path
) -> CompError | None:
    """Train one fold; what it failed on."""
    answer = folder / f"answer_{fold}.json"
    for _ in range(STARTS):
        asked = {"order": order.plain(), "fold": fold, "seconds": stop.left}
        (folder / "asked.json").write_text(json.dumps({**asked, "quiet": progress.is_quiet()}))
        code = _run(slots, folder / "asked.json", answer, stop)
        if answer.is_file():
            return error_of(json.loads(answer.read_text()))
        if stop.requested:
            return Interrupted("stopped", stop.signal or 2)
        say(
            f"fold {fold}: one of its processes died (torchrun ended with exit code {code}); all "
            "begin again at its last checkpoint"
        )
    return TrainError(
        f"fold {fold}: its processes died {STARTS} times; what they said last is above. Often "
        "memory is short: use a smaller train.micro_batch, or train it on one device"
    )


def _run(slots: Sequence[Slot], asked: Path, answer: Path, stop: Stop) -> int:
    """Run torchrun to its end; its exit code."""
    seen = [slot.environ["CUDA_VISIBLE_DEVICES"] for slot in slots]
    code = str(Path(comp.__file__).parents[1])
    paths = [code, *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": ",".join(filter(None, seen)),
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),  # as torchrun sets it, unasked
    }
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(len(slots))]
    words += ["-m", "comp.stages.runners.together", str(asked), str(answer)]
    torchrun = subprocess.Popen([sys.executable, *words], env=environ, start_new_session=True)
    passed_on = False
    while True:
        try:
            return torchrun.wait(_WAIT)
        except subprocess.TimeoutExpired:
            if stop.signal is not None and not passed_on:
                passed_on = True
                torchrun.send_signal(stop.signal)


def main(asked: Path, answer: Path) -> None:
    """One of the processes: train the fold that is asked for; the first one answers."""
    from comp.train.hardware.world import is_follower

    said: dict[str, Any] = json.loads(asked.read_text())
    progress.be_quiet(said["quiet"])
    outcome = train_piece(Order(**said["order"]), said["fold"], said["seconds"])
    if not is_follower():
        beside = answer.with_suffix(".part")
        beside.write_text(json.dumps(outcome))
        beside.replace(answer)
    sys.exit(1 if outcome["error"] else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
