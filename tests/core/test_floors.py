"""Imports point downwards only, and the documents draw the map that the code is held to."""

import ast
from pathlib import Path

import pytest

import comp
from comp.core.floors import DATA, ROOMS, floor_of

PACKAGE = Path(comp.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
Name = tuple[str, ...]


def imports(path: Path) -> list[tuple[Name, bool]]:
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
            names = [name if is_module(name) else module for name in below]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found += [
            (tuple(name.split(".")[1:]), id(node) in typing_only)
            for name in names
            if name.split(".")[0] == "comp"
        ]
    return found


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def module_of(path: Path) -> Name:
    """The name of a file's module below comp; () for comp itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def room_of(name: Name) -> Name:
    """The folder whose floor counts: one of `data`, or a room."""
    return name[:2] if name[0] == "data" else name[:1]


def climbs(own: Name, target: Name) -> bool:
    """Whether an import goes to another room that does not stand below."""
    if (
        not own
        or own in (("__main__",), ("errors",))
        or not target
        or room_of(own) == room_of(target)
    ):
        return False
    return floor_of(target) >= floor_of(own)


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_imports_point_downwards(path: Path) -> None:
    own = module_of(path)
    wrong = [t for t, typing_only in imports(path) if not typing_only and climbs(own, t)]
    assert not wrong, f"{path}: imports {['.'.join(t) for t in wrong]}"


def test_no_two_modules_need_each_other() -> None:
    needs = {
        module_of(path): {target for target, typing_only in imports(path) if not typing_only}
        for path in FILES
    }
    done: set[Name] = set()
    while ready := {
        m for m, below in needs.items() if m not in done and below - {m} <= done | {()}
    }:
        done |= ready
    assert set(needs) - done == set()


def test_the_test_of_the_floors_sees_imports() -> None:
    assert (("core", "errors"), False) in imports(PACKAGE / "core" / "files.py")
    assert climbs(("core", "files"), ("config", "schema"))
    assert climbs(("data", "images", "decode"), ("data", "cache", "pack"))
    assert not climbs(("data", "cache", "pack"), ("data", "images", "decode"))
    with pytest.raises(KeyError, match="not on the map"):
        floor_of(("attic", "x"))


def test_every_folder_is_on_the_map_and_holds_no_more_than_15_files() -> None:
    folders = {path.parent for path in FILES} - {PACKAGE}
    for folder in folders:
        floor_of(folder.relative_to(PACKAGE).parts)
        assert len(list(folder.glob("*.py"))) <= 16, folder  # 15 and the __init__
    assert {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()} <= {*ROOMS}
    assert {p.parent.name for p in (PACKAGE / "data").glob("*/__init__.py")} == {*DATA}


def test_every_package_is_installed() -> None:
    """`packages` of setup.cfg is a list by hand, because `comp.configs` lies elsewhere."""
    from configparser import ConfigParser

    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = {*setup["options"]["packages"].split()} - {"comp.configs"}
    found = {".".join(("comp", *p.relative_to(PACKAGE).parts[:-1])) for p in FILES}
    assert listed == found
