"""A folder of images and the config that `comp init` writes for it."""

from __future__ import annotations

from pathlib import Path

from toys import paint

from comp.config.loading import load_config
from comp.config.schema import Config
from comp.stages.init import NewConfig, init


def new_config(root: str = "input/toy") -> tuple[NewConfig, Config]:
    made = init(Path(root), None, replace=False)
    return made, load_config(made.path)


def images(folder: str, names: list[str], size: int = 40) -> None:
    for number, name in enumerate(names):
        paint(Path(folder) / name, 40 + 80 * (number % 2), seed=number, size=size)
