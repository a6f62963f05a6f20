"""How the suite is laid out: a module's tests carry its name, and no test imports another's."""

from __future__ import annotations

import ast
from configparser import ConfigParser
from pathlib import Path

import pytest

import comp

TESTS = Path(__file__).parent
PACKAGE = Path(comp.__file__).parent
MODULES = {
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
}
FILES = sorted(TESTS.rglob("test_*.py"))

# Tests of no single module: they stand at the top of the suite, or in these folders.
APART = {"contracts", "docs", "examples", "faults"}
CROSS_CUTTING = {
    "test_content_decides.py",
    "test_two_hosts.py",
    "test_api.py",
    "test_cardamage.py",
    "test_channels.py",
    "test_demo.py",
    "test_drift.py",
    "test_errors.py",
    "test_faults_page.py",
    "test_gpu_benchmark.py",
    "test_laws.py",
    "test_layout.py",
    "test_names_survive.py",
    "test_new_classes.py",
    "test_official_metric.py",
    "test_reads_0_1_0.py",
    "test_several_processes.py",
    "test_ordinal.py",
    "test_region_scores.py",
    "test_regression.py",
    "test_survival.py",
    "test_train_options.py",
    "test_weighted.py",
    "test_wrong_data.py",
}


def module_of(test: Path) -> Path:
    """The module that a test file is about, relative to comp."""
    below = test.relative_to(TESTS)
    return below.with_name(below.name.removeprefix("test_"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def that_are_tests(names: set[str]) -> set[str]:
    """The names that are test files or conftest, not plain modules that tests may share."""
    stems = {path.stem for path in FILES} | {"conftest"}
    return {name for name in names if not name.startswith("comp.")
            and name.split(".")[-1] in stems}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(TESTS)) for path in FILES])
def test_no_test_imports_another_tests_module(path: Path) -> None:
    assert that_are_tests(imported(path)) == set()


def test_the_check_of_imports_sees_a_test_that_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text(
        "import comp.data.layouts.test_answers\n"
        "def inner():\n    from test_layout import FILES\n    import faults.test_faults\n"
    )
    assert that_are_tests(imported(file)) == {"test_layout", "faults.test_faults"}


def test_every_test_file_below_a_room_has_its_module() -> None:
    below = [path for path in FILES if path.parent.name not in {TESTS.name, *APART}]
    assert [str(path) for path in below if module_of(path) not in MODULES] == []
    assert {path.name for path in FILES if path.parent == TESTS} == CROSS_CUTTING


def test_every_module_has_its_test_file() -> None:
    tested = {module_of(path) for path in FILES}
    lacking = sorted(str(module) for module in MODULES - tested)
    assert lacking == [], "write tests/<same path>/test_<module>.py"


def test_every_package_is_installed() -> None:
    """A package that setup.cfg does not list is there from the sources, and nowhere else."""
    setup = ConfigParser()
    setup.read(TESTS.parent / "setup.cfg", encoding="utf-8")
    listed = {name for name in setup["options"]["packages"].split() if name != "comp.configs"}
    folders = {path.parent.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("__init__.py")}
    assert listed == {".".join(folder.parts) for folder in folders}
