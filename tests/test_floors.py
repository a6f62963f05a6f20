"""Imports point downwards only."""

import ast
from pathlib import Path

import pytest

import comp

PACKAGE = Path(comp.__file__).parent
FLOORS = [
    {"comp", "errors"},
    {"chance", "files", "progress"},
    {"config", "metrics", "losses", "device", "lock"},
    {"tasks", "predictions", "runs"},
    {"models", "data"},
    {"train", "predict", "ensemble", "submission", "report"},
    {"stages"},
    {"cli"},
]
# Inside a package a module may import those that stand before it.
ORDER = {
    "data": [
        *("index", "tables", "balance", "spread", "plan", "planfile", "schemes", "verdict"),
        *("foreign", "match", "proposals", "labels", "trees", "layouts"),
        *("images", "folds", "subset", "samples", "pack", "augment", "dataset"),
    ],
    "train": ["stop", "checkpoint", "optim", "learner", "loop"],
    "ensemble": ["thresholds", "vote", "weights", "honest", "blend"],
    "stages": [
        "status",
        "experiment",
        "folds",
        "train",
        "predict",
        "ensemble",
        "show",
        "sweep",
        "find",
    ],
    "report": ["balance", "sheet", "status", "curves", "tables"],
}
FILES = sorted(PACKAGE.rglob("*.py"))


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imports(path: Path) -> list[tuple[tuple[str, ...], bool]]:
    """The modules of comp that a file imports, and whether only for the type checker."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            below = [f"{module}.{alias.name}" for alias in node.names]
            names = [
                n if (PACKAGE.parent / (n.replace(".", "/") + ".py")).exists() else module
                for n in below
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == "comp":
                found.append((tuple(name.split(".")[1:]), id(node) in typing_only))
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_imports_point_downwards(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts
    own = own[:-1] if own[-1] == "__init__" else own
    if not own:
        return
    for target, typing_only in imports(path):
        if not target or typing_only:
            continue
        if target[0] != own[0]:
            assert floor_of(target[0]) < floor_of(own[0]), f"{path}: imports {'.'.join(target)}"
        elif len(own) > 1 and len(target) > 1 and own != target:
            order = ORDER[own[0]]
            assert order.index(target[1]) < order.index(own[1]), f"{path}: {'.'.join(target)}"


def test_the_test_of_the_floors_sees_imports() -> None:
    assert (("errors",), False) in imports(PACKAGE / "files.py")
    assert (("files",), False) in imports(PACKAGE / "predictions.py")
