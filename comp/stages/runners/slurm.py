"""`--on slurm`: folds as jobs of a job array, by submitit; needs a disk that all nodes share.

A job that is preempted or runs out of its time is put back by submitit and goes on from the last
checkpoint. This process waits for all of them; when it is interrupted, the jobs go on, and the
same command finds what they have done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comp.core.errors import CompError, ConfigError, TrainError, UsageError
from comp.core.progress import say
from comp.stages.runners.order import DONE, Order, Outcome, error_of, train_piece
from comp.train.stop import Stop

INSTALL = 'pip install ".[slurm]"'
DEFAULTS = {"slurm_time": 24 * 60, "slurm_gpus_per_node": 1, "slurm_cpus_per_task": 4}
_WAIT = 5.0
_GRACE = 90.0  # seconds that a job has for its checkpoint when its time is up


class Piece:
    """One fold as submitit runs it, on another machine; `checkpoint` is what submitit calls when
    the job is to end, and what it gives is put into the queue again."""

    def __init__(self, order: Order, fold: int, seconds: float | None) -> None:
        self.order, self.fold, self.seconds = order, fold, seconds

    def __call__(self) -> Outcome:
        """Train the fold."""
        return train_piece(self.order, self.fold, self.seconds)

    def checkpoint(self) -> Any:
        """The same again: the fold has its checkpoints."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def train_on_slurm(
    order: Order,
    folds: Sequence[int],
    stop: Stop,
    logs: Path,
    options: Mapping[str, str],
    cluster: str = "slurm",
) -> list[tuple[int, CompError]]:
    """Submit a job array of folds, and wait for it; the folds that failed, with their errors.

    options: of sbatch, with underscores: partition, time, gres, ... logs: a folder for submitit.
    cluster: `local` or `debug` run the jobs on this machine, for a test.
    Raises ConfigError without submitit and UsageError for options that it does not take.
    """
    submitit = _submitit()
    try:
        executor = submitit.AutoExecutor(folder=str(logs), cluster=cluster)
    except RuntimeError as problem:
        raise ConfigError(f"--on slurm: there is no SLURM on this machine ({problem})") from problem
    try:
        executor.update_parameters(**_parameters(options, len(folds), cluster))
    except (NameError, TypeError, ValueError) as problem:
        raise UsageError(f"--on slurm: {problem}") from problem
    pieces = [Piece(order, fold, stop.left) for fold in folds]
    try:
        with executor.batch():
            jobs = [executor.submit(piece) for piece in pieces]
    except (FileNotFoundError, submitit.core.utils.FailedJobError) as problem:
        raise UsageError(f"--on slurm: sbatch refused the jobs: {problem}") from problem
    for fold, job in zip(folds, jobs, strict=True):
        say(f"{order.kind.unit} {fold}: job {job.job_id}, its words in {job.paths.stderr}")
    return _wait(dict(zip(folds, jobs, strict=True)), stop, order.kind.unit)


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as problem:
        raise ConfigError(f"--on slurm needs submitit: {INSTALL}") from problem
    return submitit


def _parameters(options: Mapping[str, str], jobs: int, cluster: str) -> dict[str, Any]:
    """Options of sbatch as submitit names them; those of a local trial are fewer."""
    own = {f"slurm_{name.replace('-', '_')}": _value(text) for name, text in options.items()}
    if cluster != "slurm":
        return {"timeout_min": 60}
    several = {"slurm_array_parallelism": jobs, "slurm_signal_delay_s": int(_GRACE)}
    return {**DEFAULTS, **several, **own}


def _value(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _wait(jobs: dict[int, Any], stop: Stop, unit: str) -> list[tuple[int, CompError]]:
    """Until all jobs have ended; the folds that failed."""
    failed: list[tuple[int, CompError]] = []
    waiting = dict(jobs)
    with stop.listening(), stop.at_a_step():
        while waiting:
            for fold, job in list(waiting.items()):
                if job.done():
                    del waiting[fold]
                    problem = _problem(f"{unit} {fold}", job)
                    say(f"{unit} {fold}: job {job.job_id} {'failed' if problem else 'is done'}")
                    failed += [(fold, problem)] if problem else []
            if stop.signal is not None:
                say("the jobs go on; `scancel` ends them, and the same command looks for them")
                stop.leave("while jobs run")
            if waiting:
                time.sleep(min(_WAIT, 0.2 if len(waiting) < len(jobs) else _WAIT))
    return failed


def _problem(what: str, job: Any) -> CompError | None:
    """What a job that ended failed on."""
    error = job.exception()
    if error is not None:
        return TrainError(f"{what}: job {job.job_id} failed: {error}")
    outcome: Outcome = job.result() or DONE
    return error_of(outcome)
