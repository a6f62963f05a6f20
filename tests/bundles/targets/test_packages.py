"""What an image lacks, and wheels without the network."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from comp.bundles.targets.own_wheel import own_wheel
from comp.bundles.targets.packages import (
    closure,
    download,
    lacking,
    needs_of,
    pinned,
    requirement_lines,
)
from comp.core.errors import CompError


def test_an_image_lacks_what_neither_it_nor_its_packages_bring() -> None:
    lacks = lacking(("torch", "torchvision", "albumentations", "timm"))
    assert {"ttach", "segmentation-models-pytorch", "typer"} <= {*lacks}
    # albumentations brings numpy and albucore, timm brings safetensors
    assert not {"comp", "torch", "numpy", "albucore", "safetensors", "sympy"} & {*lacks}


def test_needs_are_those_of_this_machine_without_extras() -> None:
    assert "optuna" not in {need.name for need in needs_of("comp")}
    assert needs_of("no-such-package") == []
    assert closure(["packaging"]) == ["packaging"]


def test_requirements_have_the_versions_of_here() -> None:
    assert pinned(["ttach", "no-such-package"]) == [f"ttach=={metadata.version('ttach')}"]
    assert f"ttach=={metadata.version('ttach')}" in requirement_lines(("torch",))


def test_wheels_are_what_pip_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CONFIG_FILE", "/dev/null"), ("NO_INDEX", "1")):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    own = own_wheel(tmp_path)
    version = metadata.version("comp")
    found = download([f"comp=={version}"], tmp_path / "to", "3.12")
    assert [path.read_bytes() for path in found] == [own.read_bytes()]
    with pytest.raises(CompError, match=r"for Python 3\.12: .*no-such-package.*--no-wheels ships"):
        download(["no-such-package==1"], tmp_path / "to", "3.12")
