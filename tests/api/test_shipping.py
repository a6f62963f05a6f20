"""`comp.bundle` and `comp.answer` give what was written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import comp


def test_a_bundle_answers_from_anywhere(shipped: Callable[[str], Path], tmp_path: Path) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    made = comp.bundle("toy_binary", work, quiet=True)
    assert (made.path, made.metric, made.half) == (work / "bundles/toy_binary", "macro_f1", False)
    assert made.members["weight"].tolist() == [0.5, 0.5]
    (work / "input/test/t003.png").write_bytes(b"no image")
    out = tmp_path / "a.csv"
    found = comp.answer(made.path, work / "input/test", out, quiet=True)
    assert (found.path, found.rows, found.images, found.members) == (out, 8, 8, 2)
    assert found.unreadable["id"].tolist() == ["t003"]


def test_a_bundle_is_zipped_and_shipped(shipped: Callable[[str], Path], tmp_path: Path) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    made = comp.bundle("toy_binary", work, zipped=True, quiet=True)
    assert made.zip == work / "bundles/toy_binary.zip"
    found = comp.ship("docker", made.zip, out=tmp_path / "ship", quiet=True)
    assert (found.target, found.path, found.tried, found.same) == (
        "docker",
        tmp_path / "ship",
        None,
        False,
    )
    assert found.bytes == sum(p.stat().st_size for p in found.path.rglob("*") if p.is_file())


def test_an_archive_for_winners_is_written(shipped: Callable[[str], Path], tmp_path: Path) -> None:
    work = Path(shutil.copytree(shipped("binary"), tmp_path / "work"))
    made = comp.winner("toy_binary", work, out="won", quiet=True)
    assert (made.path, made.zip) == (work / "won", work / "won.zip")
    assert made.open > 10


def test_networks_are_exported(
    shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(shipped("binary") / "bundles/toy_binary", tmp_path / "box"))
    monkeypatch.setattr("comp.stages.shipping.export.write_onnx", write_nothing)
    monkeypatch.setattr("comp.stages.shipping.export._compared", lambda *_: 0.0)
    made = comp.export(folder, quiet=True)
    assert (made.path, made.farthest, made.bytes) == (folder, 0.0, 8)
    assert made.files == ("members/000.onnx", "members/001.onnx")


def write_nothing(_module: object, _side: int, path: Path, _channels: int) -> None:
    path.write_bytes(b"none")
