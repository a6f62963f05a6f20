"""What another process is asked to do, and what it answers: plain values only.

A piece is done there by the ordinary stage, so its files are those that it has here.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from comp.config.loading import make_config, plain
from comp.core.errors import CompError, Interrupted, TrainError
from comp.stages.experiment import Experiment
from comp.stages.runners.pieces import KINDS, Asked, Kind

Outcome = dict[
    str, Any
]  # of a piece: its number `fold`, and where it failed `error`, `text`, `signal`
DONE: Outcome = {"error": None}


@dataclass(frozen=True)
class Order:
    """What is the same for all pieces that are done elsewhere.

    `config`   the resolved config as plain values
    `root`     the workspace folder
    `command`  what was called, for `sessions.json`
    `threads`  of torch on a CPU: sums depend on it
    `among`    how many processes share the cores of a machine
    `work`     a name of KINDS; `options`: what this kind of work knows besides
    """

    config: dict[str, Any]
    root: str
    command: str
    threads: int
    among: int = 1
    work: str = "train"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What a piece is called, and what does one."""
        return KINDS[self.work]

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def order_of(
    experiment: Experiment,
    command: str | None,
    *,
    among: int = 1,
    absolute: bool = False,
    work: str = "train",
    options: dict[str, Any] | None = None,
) -> Order:
    """The order of an experiment. absolute: with the whole path of the workspace, for a process
    that starts in another folder."""
    import torch

    root = experiment.workspace.root
    return Order(
        config=plain(experiment.config),
        root=str(root.absolute() if absolute else root),
        command=command or shlex.join(["comp", *sys.argv[1:]]),
        threads=torch.get_num_threads(),
        among=among,
        work=work,
        options=options or {},
    )


def train_piece(order: Order, fold: int, seconds: float | None) -> Outcome:
    """Do one piece here, training to its end or for so many seconds; what became of it.

    An error of comp is in the outcome; any other one is raised, as a process that dies does.
    """
    import torch

    from comp.core.parallel import share_cores
    from comp.stages.experiment import open_experiment
    from comp.train.stop import Stop

    torch.set_num_threads(order.threads)
    share_cores(order.among)
    try:
        with _signals():
            experiment = open_experiment(make_config(order.config), Path(order.root))
            stop = Stop(None if seconds is None else seconds / 3600)
            order.kind.run(experiment, fold, Asked(order.command, stop, order.options))
    except CompError as problem:
        return {"fold": fold, **failure(problem)}
    return {"fold": fold, **DONE}


def failure(problem: CompError) -> Outcome:
    """An error as plain values."""
    signal_number = problem.exit_code - 128 if isinstance(problem, Interrupted) else None
    return {"error": type(problem).__name__, "text": str(problem), "signal": signal_number}


def error_of(outcome: Outcome) -> CompError | None:
    """The error that an outcome tells of, of the same kind; None for a piece that is done."""
    name = outcome["error"]
    if name is None:
        return None
    if name == Interrupted.__name__:
        return Interrupted(outcome["text"], outcome["signal"])
    return _kinds(CompError).get(name, TrainError)(outcome["text"])


def _kinds(kind: type[CompError]) -> dict[str, type[CompError]]:
    """The errors of a kind by their names."""
    found = {kind.__name__: kind}
    for below in kind.__subclasses__():
        found |= _kinds(below)
    return found


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Until the training listens itself, SIGTERM and SIGINT end it with Interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise Interrupted(f"{signal.Signals(number).name}: stopped before training", number)

    before = {n: signal.signal(n, leave) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
