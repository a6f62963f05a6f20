"""The rows of the history, sent to TensorBoard or Weights & Biases as well (`train.track`).

Both are optional packages. A resumed run continues as the same run: its id is a function of its
first start. An epoch is logged before its checkpoint is written, so that a kill in between loses
none; if it is trained again, it is logged again, and TensorBoard shows the later one. W&B keeps
what is logged in another process for a while, and loses it when that dies: after a resume it gets
all epochs that it does not have.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from comp.config.loading import plain
from comp.config.schema import Config
from comp.config.workspace import RunDir
from comp.core import checksums
from comp.core.errors import ConfigError, reason
from comp.train.sessions import birth_of

Row = dict[str, float]


def _nothing(*_: Any) -> None:
    """No tracker."""


@dataclass(frozen=True)
class Tracker:
    """`log(row, epochs)` after an epoch: its row of the history, and how many epochs are made."""

    log: Callable[[Row, int], None] = field(default=_nothing)
    close: Callable[[], None] = field(default=_nothing)


def _tensorboard(config: Config, run: RunDir, history: Sequence[Row]) -> Tracker:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as problem:
        raise _missing("tensorboard") from problem
    new = not run.tensorboard.exists()
    writer: Any = SummaryWriter(str(run.tensorboard), purge_step=len(history) + 1)

    def log(row: Row, epochs: int) -> None:
        for name, value in _values(row).items():
            writer.add_scalar(name, value, epochs)
        writer.flush()

    _log_history(log, history if new else (), 0)
    return Tracker(log, writer.close)


def _wandb(config: Config, run: RunDir, history: Sequence[Row]) -> Tracker:
    try:
        import wandb
    except ImportError as problem:
        raise _missing("wandb") from problem
    try:
        started: Any = wandb.init(
            project=config.name,
            name=f"{config.name} {run.path.name}",
            id=checksums.digest_lines([config.name, birth_of(run)])[:16],
            resume="allow",
            config=plain(config),
            dir=str(run.path),
        )
    except wandb.errors.Error as problem:
        raise ConfigError(
            f"train.track: wandb cannot start: {reason(problem)} Or write to files only "
            "(the environment variable WANDB_MODE=offline), or set train.track: none"
        ) from problem

    def log(row: Row, epochs: int) -> None:
        started.log(_values(row), step=epochs)

    _log_history(log, history, started.step)
    return Tracker(log, started.finish)


def _log_history(log: Callable[[Row, int], None], history: Sequence[Row], first: int) -> None:
    """Log the rows of the history from epoch `first` on, counted from 1."""
    for epochs, row in enumerate(history, 1):
        if epochs >= first:
            log(row, epochs)


def _values(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("epoch", "best")}


def _missing(name: str) -> ConfigError:
    return ConfigError(
        f"train.track: {name} is not installed; `pip install {name}`, or set train.track: none"
    )


TRACKERS: dict[str, Callable[[Config, RunDir, Sequence[Row]], Tracker]] = {
    "none": lambda *_: Tracker(),
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}


@contextlib.contextmanager
def open_tracker(config: Config, run: RunDir, history: Sequence[Row]) -> Iterator[Tracker]:
    """The tracker of the config for a fold; closed at the end. history: its rows so far.

    Raises ConfigError when its package is not installed or cannot start.
    """
    tracker = TRACKERS[config.train.track](config, run, history)
    try:
        yield tracker
    finally:
        tracker.close()
