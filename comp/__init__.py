"""From a folder of competition images to an accepted submission, with an honest score.

    import comp

    config = comp.load_config("configs/letters.yaml", workspace="work")
    comp.make_folds(config, "work")
    comp.train(config, "work")
    made = comp.ensemble(config, "work")
    made.score, made.submission

Each function takes a config (a Config, a mapping, or a path below the workspace) and a workspace
folder, and returns a frozen result whose tables are pandas DataFrames. Nothing heavy is imported
before it is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comp.api.data import check, init, load_config, make_folds, pack, read_plan
    from comp.api.register import (
        register_layout,
        register_loss,
        register_metric,
        register_recipe,
        register_sampler,
        register_vote,
    )
    from comp.api.submitting import board, ensemble, submit
    from comp.api.training import predict, read_predictions, train
    from comp.core import errors
    from comp.core.errors import CompError

__version__ = "0.2.0"

__all__ = [
    "CompError",
    "board",
    "check",
    "ensemble",
    "errors",
    "init",
    "load_config",
    "make_folds",
    "pack",
    "predict",
    "read_plan",
    "read_predictions",
    "register_layout",
    "register_loss",
    "register_metric",
    "register_recipe",
    "register_sampler",
    "register_vote",
    "submit",
    "train",
]

_HOMES = {
    "comp.api.data": ("check", "init", "load_config", "make_folds", "pack", "read_plan"),
    "comp.api.register": tuple(name for name in __all__ if name.startswith("register_")),
    "comp.api.submitting": ("board", "ensemble", "submit"),
    "comp.api.training": ("predict", "read_predictions", "train"),
    "comp.core.errors": ("CompError",),
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name == "errors":
        return import_module("comp.core.errors")
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'comp' has no attribute {name!r}")


class _Room(ModuleType):
    """A folder of `comp` with the name of a public function: it can be called like it."""

    @property
    def __wrapped__(self) -> Any:
        return __getattr__(self.__name__.removeprefix("comp."))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)


class _Package(ModuleType):
    """`comp` itself: importing `comp.train.loop` binds the folder to `comp.train`, the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and isinstance(value, ModuleType) and name != "errors":
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
