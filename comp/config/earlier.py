"""Runs that were begun when a default was another: what was left out keeps its value there."""

from __future__ import annotations

from typing import Any

from comp.config.plain_yaml import flatten, parse_yaml
from comp.config.schema import Config
from comp.config.workspace import Workspace
from comp.core.errors import ConfigError
from comp.core.progress import say

# Key -> its default up to version 0.2.0
EARLIER: dict[str, Any] = {
    "augment.recipe": "flips_rotate",
    "model.init": "default",
    "train.lr": 1e-3,
    "train.sched": "cosine",
}


def with_begun_defaults(config: Config, workspace: Workspace) -> Config:
    """The config, with the earlier defaults of the keys that it leaves out where the run of this
    name was begun with them."""
    begun = _begun(workspace)
    kept: dict[str, dict[str, Any]] = {}
    for path, value in EARLIER.items():
        name, key = path.split(".")
        section = getattr(config, name)
        left_out = key not in section.model_fields_set
        if left_out and begun.get(path) == value != getattr(section, key):
            kept.setdefault(name, {})[key] = value
    if not kept:
        return config
    shown = ", ".join(
        f"{name}.{key}: {v}" for name, keys in kept.items() for key, v in keys.items()
    )
    say(f"{workspace.run}: begun with the defaults of an earlier version, which are kept: {shown}")
    sections = {name: getattr(config, name).model_copy(update=keys) for name, keys in kept.items()}
    return config.model_copy(update=sections)


def _begun(workspace: Workspace) -> dict[str, Any]:
    """The config of the first fold of the run, by key paths; empty where there is none."""
    for path in sorted(workspace.run.glob("fold_*/config.yaml")):
        try:
            tree = parse_yaml(path.read_text(encoding="utf-8"), str(path))
        except (ConfigError, OSError, UnicodeDecodeError):
            continue
        if isinstance(tree, dict):
            return dict(flatten(tree))
    return {}
