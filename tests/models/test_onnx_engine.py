"""Networks by onnxruntime answer as torch does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from comp.core.errors import ModelError, UsageError
from comp.models import onnx_engine
from comp.models.onnx_engine import (
    engines_here,
    lacking_onnx,
    open_forward,
    refuse_without_engine,
    refuse_without_onnx,
    write_onnx,
)


class Odd(nn.Module):
    """A network that depends on the values of its images, which cannot be written."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if float(images.sum()) > 0:
            return images.mean((2, 3))
        return images.amax((2, 3))


def test_a_written_network_answers_any_number_of_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    write_onnx(net, 8, tmp_path / "a.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    run = open_forward("onnx", tmp_path / "a.onnx", 1)
    for count in (1, 5):
        images = torch.randn(count, 3, 8, 8).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            torch.testing.assert_close(run(images), net(images), atol=1e-5, rtol=0)


def test_a_network_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: torch cannot write this network as ONNX"):
        write_onnx(Odd(), 8, tmp_path / "a.onnx")
    assert [*tmp_path.iterdir()] == []


def test_a_torn_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"a\.onnx: onnxruntime cannot read it"):
        open_forward("onnx", tmp_path / "a.onnx", 1)


def test_packages_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking_onnx(to_write=True) is None
    monkeypatch.setattr(onnx_engine, "_NEEDED", ("torch", "no_such_package"))
    assert (lacking_onnx(), lacking_onnx(to_write=True)) == (None, "no_such_package")
    with pytest.raises(UsageError, match=r"--x needs the package no_such_package: pip install"):
        refuse_without_onnx("--x", to_write=True)


def test_engines_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "onnx" in engines_here()
    monkeypatch.setattr(onnx_engine, "_PACKAGES", {"onnx": "torch", "openvino": "no_such_package"})
    assert engines_here() == ["onnx"]
    with pytest.raises(UsageError, match=r"openvino needs the package no_such_package: pip inst"):
        refuse_without_engine("openvino")


def test_openvino_gives_what_torch_gives(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    write_onnx(net, 8, tmp_path / "a.onnx")
    run = open_forward("openvino", tmp_path / "a.onnx", 1)
    for count in (1, 3):
        images = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))
        with torch.inference_mode():
            torch.testing.assert_close(run(images), net(images), atol=1e-5, rtol=0)
    (tmp_path / "a.onnx").write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"a\.onnx: OpenVINO cannot read it"):
        open_forward("openvino", tmp_path / "a.onnx", 1)
