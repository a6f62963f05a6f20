"""`comp export --onnx`: the same answers by onnxruntime."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from comp.bundles.contents import read_bundle
from comp.core.errors import ModelError, RunError, UsageError
from comp.stages.shipping import export
from comp.stages.shipping.answer import answer
from comp.stages.shipping.export import export_onnx


def test_answers_are_within_the_tolerance_of_torch(
    exported: Path, shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    images = shipped("regression") / "input/test"
    for engine in ("torch", "onnx"):
        answer(exported, images, tmp_path / f"{engine}.csv", engine=engine)
    one, two = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("torch", "onnx"))
    assert one["id"].equals(two["id"])
    assert one["label"].nunique() > 4
    assert (one["label"] - two["label"]).abs().max() < 1e-4


def test_a_bundle_that_is_exported_is_still_whole(exported: Path) -> None:
    bundle = read_bundle(exported)
    assert [member.onnx for member in bundle.members] == ["members/000.onnx", "members/001.onnx"]
    assert {"members/000.onnx", "members/001.onnx"} <= {*bundle.manifest["files"]}


def test_a_damaged_file_is_told(
    exported: Path, shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "box"))
    (folder / "members/001.onnx").write_bytes(b"torn")
    images = shipped("regression") / "input/test"
    with pytest.raises(RunError, match=r"members/001\.onnx: damaged"):
        answer(folder, images, tmp_path / "a.csv", engine="onnx")


def test_a_network_that_answers_otherwise_is_not_used(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "box"))
    before = (folder / "bundle.json").read_bytes()
    written = (folder / "members/001.onnx").read_bytes()
    monkeypatch.setattr(export, "write_onnx", lambda *words: words[2].write_bytes(written))
    with pytest.raises(
        ModelError, match=r"000\.onnx: answers .* away from torch, more than 0\.0001"
    ):
        export_onnx(folder)
    assert (folder / "bundle.json").read_bytes() == before


def test_what_cannot_be_exported_is_told(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unpack the zip first"):
        export_onnx(exported / "bundle.json")
    folder = Path(shutil.copytree(exported, tmp_path / "box"))
    from comp.core.checksums import digest_file
    from comp.core.files import read_json, write_json

    run = folder / "runs/toy_regression.yaml"
    run.write_text(
        run.read_text("utf-8").replace("resize: stretch", "resize: none"), encoding="utf-8"
    )
    manifest = read_json(folder / "bundle.json")
    manifest["files"]["runs/toy_regression.yaml"] = digest_file(run)
    write_json(folder / "bundle.json", manifest)
    with pytest.raises(UsageError, match="'?toy_regression'? keep their own size"):
        export_onnx(folder)
