"""Imports point downwards only."""

import ast
from pathlib import Path

import pytest

import comp

PACKAGE = Path(comp.__file__).parent
FLOORS = [
    {"comp", "errors"},
    {"chance", "files", "progress", "seal", "plain_yaml", "refusals", "counts", "framing", "rle"},
    {"config", "metrics", "overlap", "device", "lock"},
    {"tasks", "losses", "predictions", "runs", "parts", "heads", "segmenters"},
    {"models", "data"},
    {"train", "predict", "ensemble", "submission", "report"},
    {"stages"},
    {"options"},
    {"cli_answers", "cli_folds"},
    {"cli"},
]
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


def module_of(path: Path) -> tuple[str, ...]:
    """The name of a file's module below comp; () for comp itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_imports_point_downwards(path: Path) -> None:
    own = module_of(path)
    for target, typing_only in imports(path):
        if own and target and target[0] != own[0] and not typing_only:
            assert floor_of(target[0]) < floor_of(own[0]), f"{path}: imports {'.'.join(target)}"


def test_no_two_modules_need_each_other() -> None:
    needs = {
        module_of(path): {target for target, typing_only in imports(path) if not typing_only}
        for path in FILES
    }
    done: set[tuple[str, ...]] = set()
    while ready := {
        m for m, below in needs.items() if m not in done and below - {m} <= done | {()}
    }:
        done |= ready
    assert set(needs) - done == set()


def test_the_test_of_the_floors_sees_imports() -> None:
    assert (("errors",), False) in imports(PACKAGE / "files.py")
    assert (("files",), False) in imports(PACKAGE / "predictions.py")
    assert floor_of("cli") == len(FLOORS) - 1
