"""What most shipments hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ship_toys import toy_order

from comp.bundles.contents import read_bundle
from comp.bundles.targets import parts
from comp.bundles.targets.parts import bundle_files, copy_bundle, gather_wheels


def test_a_bundle_is_copied_whole(shipped: Callable[[str], Path], tmp_path: Path) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    copy_bundle(order, tmp_path / "to")
    assert read_bundle(tmp_path / "to").manifest == order.bundle.manifest
    listed = {f"x/{name}" for name in order.bundle.manifest["files"]}
    assert {*bundle_files(order, "x/")} == {*listed, "x/bundle.json", "x/MODEL_CARD.md"}


def test_wheels_are_those_that_the_image_lacks(
    shipped: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(parts, "download", lambda *words: asked.append(words))
    bundle = shipped("binary") / "bundles/toy_binary"
    gather_wheels(toy_order(bundle), tmp_path / "a")
    assert [path.name.split("-")[0] for path in (tmp_path / "a").iterdir()] == ["comp"]
    assert asked == []  # wheels=False
    order = toy_order(bundle, wheels=True, has=("torch", "timm"))
    gather_wheels(order, tmp_path / "b")
    ((lines, folder, python),) = asked
    assert (folder, python) == (tmp_path / "b", "3.11")
    assert any(str(line).startswith("ttach==") for line in lines)  # type: ignore[attr-defined]
