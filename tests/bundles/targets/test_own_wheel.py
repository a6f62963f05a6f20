"""The wheel of `comp` is one that pip installs, with every file that it needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import comp
from comp.bundles.targets.own_wheel import own_wheel, package_files


def test_it_is_installed_and_runs_away_from_the_checkout(tmp_path: Path) -> None:
    wheel = own_wheel(tmp_path)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-compile", "--target", tmp_path / "site", wheel], check=True)
    code = "import comp, sys; print(comp.__file__); from comp.config.loading import load_config; "
    code += "print(load_config(None).name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "site/comp/__init__.py"), "default"]


def test_it_holds_every_module_template_and_config(tmp_path: Path) -> None:
    with zipfile.ZipFile(own_wheel(tmp_path)) as archive:
        names = {*archive.namelist()}
    package = Path(comp.__file__).parent
    modules = {f"comp/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert modules <= names
    assert "comp/bundles/templates/run.py.j2" in names
    assert {"comp/configs/default.yaml", "comp/py.typed"} <= names
    assert {name for name in names if "__pycache__" in name or name.endswith(".pyc")} == set()
    assert {*package_files()} == {name for name in names if ".dist-info/" not in name}


def test_the_same_code_is_the_same_wheel(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert own_wheel(tmp_path / "a").read_bytes() == own_wheel(tmp_path / "b").read_bytes()
