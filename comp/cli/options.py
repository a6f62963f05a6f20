"""The options that commands share, and how they are read."""

from __future__ import annotations

import re
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comp.core.progress import be_quiet, say

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
    _options.set(again(config, [text for text in sets or [] if not text.startswith(_LATER)]))
    return open_experiment(load_config(config, sets or []))


def again(config: Path | None, sets: list[str] | None) -> str:
    """The options that repeat this experiment, for the next command."""
    import shlex

    words = ["-c", str(config)] if config else []
    for assignment in sets or []:
        words += ["--set", assignment]
    return "".join(f" {shlex.quote(word)}" for word in words)


_LATER = ("predict.", "ensemble.", "submission.")  # a command before these does not need them
_options = ContextVar("the options that repeat the experiment of this command", default="")
_ADVICE = re.compile(r"`comp (?:check|folds make|pack|train|predict|ensemble)(?=[ `])")


def with_options(message: str) -> str:
    """A message whose advised commands are for the experiment that this command has opened."""
    return _ADVICE.sub(lambda found: found[0] + _options.get(), message)
