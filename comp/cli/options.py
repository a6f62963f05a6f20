"""The options that commands share, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comp.core.progress import be_quiet, say
from comp.core.terminal import advise_for

if TYPE_CHECKING:
    from comp.stages.experiment import Experiment

ConfigOption = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="A YAML config.", show_default="configs/default.yaml"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the config; repeatable."),
]
FoldOption = Annotated[str, typer.Option("-f", "--fold", help="Folds: 0, or 0,2, or 0..4, or all.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


# old name of an option -> its name since version 0.2.0; the old one works until 0.3.0
RENAMED = {"--allow-unasked": "--allow-extra-images"}


def current_names(words: list[str]) -> list[str]:
    """The words of a command line with options under their present names; notes on stderr."""
    for old in [word for word in words if word in RENAMED]:
        say(f"note: {old} is called {RENAMED[old]} now")
    return [RENAMED.get(word, word) for word in words]


def open_config(config: Path | None, sets: list[str] | None, quiet: bool = False) -> Experiment:
    """The experiment of a config file with values laid over it."""
    from comp.config.loading import load_config
    from comp.stages.experiment import open_experiment

    be_quiet(quiet)
    advise_for(config, sets)
    return open_experiment(load_config(config, sets or []))
