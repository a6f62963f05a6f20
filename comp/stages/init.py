"""`comp init`: a commented config for a folder of data, every guess marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from comp.config.loading import load_config
from comp.core import files
from comp.core.errors import CompError, UsageError, pick
from comp.data.layouts.layouts import LAYOUTS, read_index, read_test
from comp.scaffold.folder import Guess
from comp.scaffold.guess import guess
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

_OVERLAPS = ("dice", "macro_dice", "mean_dice", "iou", "mean_iou")  # where pixels are answered
_RECIPES = "flips_rotate where up and down mean nothing; light for letters, digits, traffic signs"

_OF_LABELS = (
    "model: {name: efficientnet_b0}",
    "train: {epochs: 25, batch_size: 32, lr: 1.0e-3}",
)
_OF_MASKS = (
    "model: {name: unet, encoder: efficientnet-b0}",
    "train: {epochs: 40, batch_size: 16, lr: 1.0e-3, loss: {ce: 1, dice: 1}}",
)


@dataclass(frozen=True)
class Begun:
    """The config that was written, the doubts in it, and what does not fit yet, as messages."""

    path: Path
    text: str
    doubts: int
    problems: tuple[str, ...]


def init(root: Path, out: Path | None, *, replace: bool, workspace: Path = Path()) -> Begun:
    """Look at `root` and write a config, `configs/<name>.yaml` where no other path is given.

    workspace: the folder that `root`, `out` and the paths in the config are relative to.

    Raises UsageError when that file is there, unless `replace`; DataError when nothing in the
    folder is recognised.
    """
    root = workspace / root
    name = re.sub(r"[^\w.+-]+", "_", root.resolve().name).strip("_.") or "data"
    shown = out or Path("configs") / f"{name}.yaml"
    path = workspace / shown
    if path.exists() and not replace:
        raise UsageError(f"{path}: is there already; give another --out, or --replace")
    found = guess(root)
    text = _write(name, _relative(root, workspace), shown, found)
    files.write_text(path, text)
    return Begun(path, text, text.count("# ?"), tuple(_problems(path, found, workspace)))


def _problems(path: Path, found: Guess, workspace: Path) -> list[str]:
    """What keeps the config from being used as it is."""
    if found.data["layout"] not in LAYOUTS or found.top["task"] not in TASKS:
        return [f"layout {found.data['layout']}, task {found.top['task']}: not readable yet"]
    try:
        config = load_config(path)
        task = pick(TASKS, config.task, "task")
        data = config.data.at(workspace)
        index = read_index(data, task)
        read_test(data, task, index.classes)
    except CompError as problem:
        return [str(problem)]
    return []


def _write(name: str, root: str, path: Path, found: Guess) -> str:
    """The config as text: each key on a line, with its doubts behind it as `# ?`."""
    task = str(found.top["task"])
    lines = [
        f"# {name}: begun by `comp init`, which guessed what is marked with `# ?`.",
        *(f"# {line}" for line in _plain(found.notes)),
        f"#   comp check -c {path}",
        f"#   comp folds make -c {path}",
        f"#   comp train -c {path} --fold 0..4",
        f"#   comp ensemble -c {path}",
        _line("name", name),
        _line("task", task, found.doubts.get("task")),
        _line("metric", _metric(found), ["what the rules of the competition say"]),
        "data:",
        _line("  root", root, found.doubts.get("root")),
        *(
            _line(f"  {key}", value, found.doubts.get(key))
            for key, value in found.data.items()
            if not (value is None and key == "group" and key not in found.doubts)
        ),
        f"image: {_flow(found.top.get('image', {'size': 224}))}  # ? larger is slower and better",
        f"augment: {{recipe: light}}  # ? {_RECIPES}",
        *(_OF_MASKS if task == "segmentation" else _OF_LABELS),
    ]
    return "\n".join(lines) + "\n"


def _metric(found: Guess) -> str:
    """What the sample submission hints at; else the metric that the task is mostly scored by."""
    known = [name for name in _OVERLAPS if name in METRICS] or list(_OVERLAPS)
    usual = known[0] if found.top["task"] == "segmentation" else "macro_f1"
    return str(found.top.get("metric", usual))


def _relative(path: Path, workspace: Path) -> str:
    """A path as it is written in a config: relative where it lies below the workspace."""
    here, there = workspace.resolve(), path.absolute()
    return there.relative_to(here).as_posix() if there.is_relative_to(here) else str(path)


def _plain(texts: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in texts]


def _line(key: str, value: Any, doubts: list[str] | None = None) -> str:
    told = f"  # ? {'; '.join(_plain(doubts))}" if doubts else ""
    return f"{key}: {_flow(value)}{told}"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=100_000)
    return text.removesuffix("\n...\n").strip()
