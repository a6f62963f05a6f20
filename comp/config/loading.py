"""From a YAML file and `--set key=value` to a Config, and back to YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from comp.config.messages import explain
from comp.config.plain_yaml import MAX_BYTES, Lines, assign, dump_yaml, parse_config
from comp.config.schema import Config
from comp.config.values import Section
from comp.core.errors import ConfigError, did_you_mean, unreadable

_OF_THE_MACHINE = ("device", "workers", "checkpoint_minutes", "max_hours")


def load_config(path: Path | None = None, sets: Sequence[str] = ()) -> Config:
    """The config in `path`, with each `key.path=value` of `sets` laid over it.

    Without a path: `configs/default.yaml` here, or else the one that is installed with `comp`.
    Raises ConfigError for a missing file and for everything that is not allowed.
    """
    where, text = _read(path)
    tree, lines = parse_config(text, where)
    if not isinstance(tree, dict):
        raise ConfigError(f"{where}: expected keys and values, found {type(tree).__name__}")
    for assignment in sets:
        assign(tree, assignment)
        key = tuple(assignment.partition("=")[0].strip().split("."))
        lines = {known: at for known, at in lines.items() if known[: len(key)] != key}
        lines[key] = 0  # of no line in the file
    return make_config(tree, where, lines)


def _read(path: Path | None) -> tuple[str, str]:
    path = _default_config() if path is None else path
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; a config is a page of text")
        return str(path), path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as problem:
        beside = [p.name for p in path.parent.glob("*.yaml")]
        hint = did_you_mean(path.name, beside, show=lambda name: str(path.parent / name))
        raise ConfigError(f"{path}: {unreadable(problem)}.{hint}") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: {unreadable(problem)}") from problem


def _default_config() -> Path:
    """`configs/default.yaml` here, or else the installed one."""
    here = Path("configs/default.yaml")
    return here if here.is_file() else installed_config()


def installed_config() -> Path:
    """The config of the digits sample, in the installed package or the checkout it runs from."""
    package = Path(__file__).parents[1]
    inside = package / "configs" / "default.yaml"
    return inside if inside.is_file() else package.parent / "configs" / "default.yaml"


def make_config(tree: dict[str, Any], where: str = "config", lines: Lines | None = None) -> Config:
    """A validated Config from plain values; all complaints in one ConfigError.

    lines: the line of each key in the file `where`, where they were read from one.
    """
    try:
        config = Config.model_validate(tree)
    except ValidationError as problem:
        complaints = explain(problem, Config, lines)
        raise ConfigError("\n".join([f"{where}:", *complaints])) from None
    if config.stages:
        stage_config(config, f"{where}: stages")
    return config


def stage_config(config: Config, where: str = "stages") -> Config:
    """The config of the stage before. What is the machine's, the seed, the plugins, the folds and
    the folder of the data are those of the whole where it does not say otherwise. It answers every
    test image."""
    own = {key: value for key, value in config.stages[0].items() if key != "classes"}
    taken = [key for key in ("folds", "stages") if key in own]
    if taken:
        raise ConfigError(
            f"{where}: {', '.join(taken)}: not in a stage: there is one, with the folds of the "
            "whole. Leave it out"
        )
    names = stage_classes(config)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{where}: classes: a list of names of its classes, found {names!r}")
    whole = plain(config)
    kept = {
        "data": {"root": whole["data"]["root"], "sample_submission": None},
        "train": {key: whole["train"][key] for key in _OF_THE_MACHINE},
    }
    for key, values in kept.items():
        if isinstance(own.get(key, {}), dict):
            own[key] = values | own.get(key, {})
    shared = {"seed": config.seed, "plugins": [*config.plugins]}
    return make_config({**shared, **own, "folds": {"count": config.folds.count}}, where)


def stage_classes(config: Config) -> list[str]:
    """The classes whose regions the stage before finds; none: all."""
    return config.stages[0].get("classes") or []


def dump_config(config: Config, *, ascii_only: bool = False) -> str:
    """The resolved config as YAML, every key with its value; ascii_only: other letters escaped."""
    return dump_yaml(plain(config), sort_keys=False, allow_unicode=not ascii_only)


def plain(config: Section) -> dict[str, Any]:
    """The config as plain dicts, lists and scalars."""
    return config.model_dump(mode="json")
