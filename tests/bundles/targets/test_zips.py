"""Dacon's and DrivenData's zips, to the letter."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ship_toys import toy_order

from comp.bundles.targets import zips
from comp.bundles.targets.zips import DACON, DRIVENDATA, write_dacon, write_driven

Shipped = Callable[[str], Path]


def tops(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return {name.split("/")[0] for name in archive.namelist()}


def test_dacons_zip_has_exactly_three_things_at_its_root(shipped: Shipped, tmp_path: Path) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary", has=DACON.has)
    write_dacon(order, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["submit.zip"]
    assert tops(tmp_path / "submit.zip") == {"model", "script.py", "requirements.txt"}
    with zipfile.ZipFile(tmp_path / "submit.zip") as archive:
        lines = archive.read("requirements.txt").decode().splitlines()
        names = {*archive.namelist()}
    assert "model/bundle/bundle.json" in names
    assert not any(line.startswith(("torch==", "numpy==", "comp")) for line in lines)
    assert any(line.startswith("timm==") for line in lines)


def test_a_zip_above_dacons_limit_is_a_warning(
    shipped: Shipped,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(zips, "_DACON_BYTES", 1000)
    write_dacon(toy_order(shipped("binary") / "bundles/toy_binary"), tmp_path)
    assert "Dacon's limit is often 1 GB" in capsys.readouterr().err


def test_drivendatas_zip_has_main_at_its_root(shipped: Shipped, tmp_path: Path) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    write_driven(order, tmp_path)
    assert tops(tmp_path / "submission.zip") == {"main.py", "bundle", "wheels"}
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        script = archive.read("main.py").decode()
    assert "DATA = ['/code_execution/data']" in script
    assert "OUT = Path('/code_execution/submission.csv')" in script


@pytest.mark.parametrize(
    ("target", "folder", "writable"),
    [(DACON, "/dacon", ["/dacon/output"]), (DRIVENDATA, "/code_execution", ["/code_execution"])],
)
def test_their_places_have_the_data_read_only(
    target: zips.Target, folder: str, writable: list[str], shipped: Shipped, tmp_path: Path
) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    (tmp_path / "ship").mkdir()
    (tmp_path / "room").mkdir()
    target.write(order, tmp_path / "ship")
    found = target.contract(order, tmp_path / "ship", tmp_path, tmp_path / "room")
    assert found.folder == folder
    assert [mount.inside for mount in found.mounts if mount.writable] == writable
    assert f"{folder}/data" in [mount.inside for mount in found.mounts if not mount.writable]
