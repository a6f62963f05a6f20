"""The kinds of work that are done in pieces, elsewhere: each by the stage that does it here.

What a piece leaves on the disk is what the stage would have left; the one who asked runs the stage
once more after that, which finds it all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comp.config.loading import make_config
from comp.stages.experiment import Experiment, open_experiment
from comp.train.stop import Stop


@dataclass(frozen=True)
class Asked:
    """What is the same for all pieces: the command that was called, when to stop, and `options`,
    plain values that the kind of work knows."""

    command: str
    stop: Stop
    options: dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """`unit`: what a piece is called; `done`: what became of it; `run`: does one."""

    unit: str
    done: str
    run: Callable[[Experiment, int, Asked], Any]


def _train(experiment: Experiment, fold: int, asked: Asked) -> None:
    from comp.stages.train import train

    train(experiment, str(fold), stop=asked.stop, command=asked.command)


def _predict(experiment: Experiment, fold: int, asked: Asked) -> None:
    from comp.stages.predict import predict

    predict(experiment, str(fold))


def _sweep(experiment: Experiment, run: int, asked: Asked) -> None:
    """options: `configs` of the runs, and the `fold`."""
    config = make_config(asked.options["configs"][run])
    own = open_experiment(config, experiment.workspace.root)
    _train(own, asked.options["fold"], asked)


def _check(experiment: Experiment, part: int, asked: Asked) -> None:
    """options: `parts`, how many there are."""
    from comp.stages.check import measure_part

    measure_part(experiment, part, asked.options["parts"])


def _pack(experiment: Experiment, shard: int, asked: Asked) -> None:
    """options: `shards`, how many there are."""
    from comp.stages.pack import pack_shard

    pack_shard(experiment, shard, asked.options["shards"])


def _embed(experiment: Experiment, part: int, asked: Asked) -> None:
    """options: `wanted`, pairs of train or test and a view."""
    from comp.stages.features.embed import embed_part

    embed_part(experiment, *asked.options["wanted"][part])


KINDS = {
    "train": Kind("fold", "trained", _train),
    "predict": Kind("fold", "predicted", _predict),
    "sweep": Kind("run", "trained", _sweep),
    "check": Kind("part", "measured", _check),
    "pack": Kind("shard", "packed", _pack),
    "embed": Kind("part", "embedded", _embed),
}
