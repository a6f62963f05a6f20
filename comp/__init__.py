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
    from comp import errors
    from comp.api.data import check, embed, init, load_config, make_folds, pack, read_plan
    from comp.api.register import (
        register_layout,
        register_loss,
        register_metric,
        register_recipe,
        register_sampler,
        register_vote,
    )
    from comp.api.reporting import report, watch
    from comp.api.shipping import answer, bundle, export, ship, winner
    from comp.api.submitting import board, ensemble, neighbours, stack, submit
    from comp.api.timed import run, tune
    from comp.api.training import predict, pseudo, read_predictions, train
    from comp.core.errors import CompError

__version__ = "0.2.0"

__all__ = [
    "CompError",
    "answer",
    "board",
    "bundle",
    "check",
    "embed",
    "ensemble",
    "errors",
    "export",
    "init",
    "load_config",
    "make_folds",
    "neighbours",
    "pack",
    "predict",
    "pseudo",
    "read_plan",
    "read_predictions",
    "register_layout",
    "register_loss",
    "register_metric",
    "register_recipe",
    "register_sampler",
    "register_vote",
    "report",
    "run",
    "ship",
    "stack",
    "submit",
    "train",
    "tune",
    "watch",
    "winner",
]

_HOMES = {
    "comp.api.data": ("check", "embed", "init", "load_config", "make_folds", "pack", "read_plan"),
    "comp.api.register": tuple(name for name in __all__ if name.startswith("register_")),
    "comp.api.reporting": ("report", "watch"),
    "comp.api.shipping": ("answer", "bundle", "export", "ship", "winner"),
    "comp.api.submitting": ("board", "ensemble", "neighbours", "stack", "submit"),
    "comp.api.timed": ("run", "tune"),
    "comp.api.training": ("predict", "pseudo", "read_predictions", "train"),
    "comp.core.errors": ("CompError",),
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used."""
    if name == "errors":
        return import_module("comp.errors")
    for module, names in _HOMES.items():
        if name in names:
            return _with_modules(getattr(import_module(module), name), name)
    raise AttributeError(f"module 'comp' has no attribute {name!r}")


def _with_modules(function: Any, name: str) -> Any:
    """The function `comp.train` with the modules of the folder `comp/train` that are imported, so
    that `comp.train.loop` and `import comp.train.loop as loop` find them."""
    folder = sys.modules.get(f"comp.{name}")
    if folder is not None:
        inside = {key: part for key, part in vars(folder).items() if isinstance(part, ModuleType)}
        vars(function).update(inside)
    return function


class _Package(ModuleType):
    """`comp` itself: `comp.train` is the function, also once the folder `comp/train` is imported.

    `from comp.train.loop import x` needs no binding: it looks in `sys.modules`.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "errors" or name not in __all__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
