"""The rows of the history, sent to TensorBoard or Weights & Biases as well (`train.track`).

Both are optional packages. The run goes on as the same one after a resume: its id is a function of
its first start. An epoch is told before its checkpoint is written, so that a kill in between loses
none; trained again, it is told again. TensorBoard's readers keep the later one, W&B the earlier.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from comp import files
from comp.config import Config, plain
from comp.errors import ConfigError, reason
from comp.runs import RunDir
from comp.train.sessions import birth_of

Row = dict[str, float]


def _nothing(*_: Any) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Tracker:
    """`log(row, epochs)` after an epoch: its row of the history, and how many are made."""

    log: Callable[[Row, int], None] = field(default=_nothing)
    close: Callable[[], None] = field(default=_nothing)


def _tensorboard(config: Config, run: RunDir, epoch: int) -> Tracker:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as problem:
        raise _missing("tensorboard") from problem
    writer: Any = SummaryWriter(str(run.tensorboard), purge_step=epoch + 1)

    def log(row: Row, epochs: int) -> None:
        for name, value in _values(row).items():
            writer.add_scalar(name, value, epochs)
        writer.flush()

    return Tracker(log, writer.close)


def _wandb(config: Config, run: RunDir, epoch: int) -> Tracker:
    try:
        import wandb
    except ImportError as problem:
        raise _missing("wandb") from problem
    try:
        started: Any = wandb.init(
            project=config.name,
            name=f"{config.name} {run.path.name}",
            id=files.digest_lines([config.name, birth_of(run)])[:16],
            resume="allow",
            config=plain(config),
            dir=str(run.path),
        )
    except wandb.errors.Error as problem:
        raise ConfigError(
            f"train.track: wandb does not begin: {reason(problem)} Or keep what it hears in files "
            "(the environment variable WANDB_MODE=offline), or set train.track: none"
        ) from problem

    def log(row: Row, epochs: int) -> None:
        started.log(_values(row), step=epochs)

    return Tracker(log, started.finish)


def _values(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "epoch"}


def _missing(name: str) -> ConfigError:
    return ConfigError(
        f"train.track: {name} is not installed; `pip install {name}`, or set train.track: none"
    )


TRACKERS: dict[str, Callable[[Config, RunDir, int], Tracker]] = {
    "none": lambda *_: Tracker(),
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}


@contextlib.contextmanager
def open_tracker(config: Config, run: RunDir, epoch: int) -> Iterator[Tracker]:
    """The tracker of the config for a fold that goes on at `epoch`; closed at the end.

    Raises ConfigError when its package is not installed.
    """
    tracker = TRACKERS[config.train.track](config, run, epoch)
    try:
        yield tracker
    finally:
        tracker.close()
