"""`comp init`: a commented config for a folder of data, every guess marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from comp.config.loading import load_config
from comp.core import files
from comp.core.errors import CompError, UsageError
from comp.data.layouts.layouts import LAYOUTS, read_index, read_test
from comp.scaffold.config_text import config_text, guesses_in
from comp.scaffold.folder import Guess
from comp.scaffold.guess import guess


@dataclass(frozen=True)
class NewConfig:
    """A config that was written.

    `guesses`   how many of its values are marked as guesses
    `problems`  what keeps it from being used as it is, as messages
    """

    path: Path
    text: str
    guesses: int
    problems: tuple[str, ...]


def init(root: Path, out: Path | None, *, replace: bool, workspace: Path = Path()) -> NewConfig:
    """Look at `root` and write a config, `configs/<name>.yaml` where no other path is given.

    workspace: the folder that `root`, `out` and the paths in the config are relative to.

    Raises UsageError when that file exists, unless `replace`; DataError when the folder is not
    recognised.
    """
    root = workspace / root
    shown = out or config_path(root)
    path = workspace / shown
    if path.exists() and not replace:
        raise UsageError(f"{path}: exists already; give another --out, or --replace")
    found = guess(root)
    text = config_text(_name(root), _relative(root, workspace), shown, found)
    files.write_text(path, text)
    return NewConfig(path, text, guesses_in(text), tuple(_problems(path, found, workspace)))


def config_path(root: Path) -> Path:
    """Where the config for a folder of data is written: `configs/<name of the folder>.yaml`."""
    return Path("configs") / f"{_name(root)}.yaml"


def _name(root: Path) -> str:
    return re.sub(r"[^\w.+-]+", "_", root.resolve().name).strip("_.") or "data"


def _problems(path: Path, found: Guess, workspace: Path) -> list[str]:
    """What keeps the config from being used as it is."""
    if found.data["layout"] not in LAYOUTS:
        return [f"layout {found.data['layout']}: cannot be read yet"]
    try:
        data = load_config(path).data.at(workspace)
        index = read_index(data, found.task)
        read_test(data, found.task, index.classes)
    except CompError as problem:
        return [str(problem)]
    return []


def _relative(path: Path, workspace: Path) -> str:
    """A path as it is written in a config: relative where it lies below the workspace."""
    here, there = workspace.resolve(), path.absolute()
    return there.relative_to(here).as_posix() if there.is_relative_to(here) else str(path)
