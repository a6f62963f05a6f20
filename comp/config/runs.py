"""Runs of a workspace by their names, without reading anything heavy."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from comp.config.loading import load_config
from comp.config.schema import Config
from comp.core.errors import UsageError, did_you_mean, first


def run_config_path(name: str, runs: Path) -> Path:
    """The copy of its config in the folder of a run. UsageError for no such run."""
    name = unicodedata.normalize("NFC", name)
    found = sorted((runs / name).glob("fold_*/config.yaml"))
    if found:
        return found[0]
    known = sorted({path.parts[-3] for path in runs.glob("*/fold_*/config.yaml")})
    hint = did_you_mean(name, known)
    raise UsageError(f"no run {name!r} in {runs}; there are: {first(known, 20) or 'none'}.{hint}")


def run_config(name: str, runs: Path) -> Config:
    """The config that a run was trained with, from its folder. UsageError for no such run."""
    return load_config(run_config_path(name, runs), [f"name={name}"])


def check_runs(names: Sequence[str], runs: Path, own: str | None = None) -> None:
    """UsageError for a run that is named twice and for one that is not there.

    own: the name of the config in use, whose run may not have begun.
    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"run {name!r} is named twice; name each once")
        if name != own:
            run_config_path(name, runs)
