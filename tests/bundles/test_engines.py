"""Which engine runs the networks of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from comp.bundles import engines
from comp.bundles.contents import Bundle, read_bundle
from comp.bundles.engines import choose_engines, farthest
from comp.core.errors import ModelError, UsageError
from comp.models import onnx_engine
from comp.models.device import Device, choose_device


@pytest.fixture
def plain(shipped: Callable[[str], Path]) -> Bundle:
    return read_bundle(shipped("regression") / "bundles/toy_regression")


@pytest.fixture
def device() -> Device:
    return choose_device("fp32", deterministic=False, where="cpu", one_shape=True)


def test_without_onnx_files_torch_runs_it(plain: Bundle, device: Device, tmp_path: Path) -> None:
    for engine in ("auto", "torch"):
        assert choose_engines(plain, device, engine, tmp_path) == {"toy_regression": "torch"}
    with pytest.raises(UsageError, match="--engine onnx: the bundle has no ONNX files; `comp ex"):
        choose_engines(plain, device, "onnx", tmp_path)
    with pytest.raises(UsageError, match="--engine fast: use one of auto, torch, onnx, openvino"):
        choose_engines(plain, device, "fast", tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_auto_takes_the_faster_one_and_stays_with_it(
    exported: Path, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, times = read_bundle(exported), iter([3.0, 2.0])
    monkeypatch.setattr(engines, "engines_here", lambda: ["onnx"])
    monkeypatch.setattr(engines, "_seconds", lambda call: call() is None or next(times))
    assert choose_engines(bundle, device, "auto", tmp_path) == {"toy_regression": "onnx"}
    # a command that goes on measures no more: it would fail here
    assert choose_engines(bundle, device, "auto", tmp_path) == {"toy_regression": "onnx"}
    assert choose_engines(bundle, device, "torch", tmp_path) == {"toy_regression": "torch"}
    monkeypatch.setattr(engines, "engines_here", list)
    assert choose_engines(bundle, device, "auto", tmp_path) == {"toy_regression": "torch"}


def test_how_far_a_network_is_from_torch_is_measured(exported: Path, device: Device) -> None:
    bundle = read_bundle(exported)
    member = bundle.members[0]
    net = bundle.net(member, device, engine="onnx")
    assert farthest(bundle, member, device, net) < 1e-4
    other = bundle.net(bundle.members[1], device, engine="onnx")
    assert farthest(bundle, member, device, other) > 1e-4


def test_an_engine_that_answers_otherwise_is_not_taken(
    exported: Path, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = read_bundle(exported)
    monkeypatch.setattr(engines, "engines_here", lambda: ["onnx"])
    monkeypatch.setattr(engines, "farthest", lambda *_: 0.01)
    with pytest.raises(UsageError, match="0.01 apart from those of torch, more than 0.0001"):
        choose_engines(bundle, device, "onnx", tmp_path)
    monkeypatch.setattr(engines, "farthest", lambda *_: float("nan"))
    assert choose_engines(bundle, device, "auto", tmp_path) == {"toy_regression": "torch"}


def test_an_engine_that_cannot_read_a_network_is_not_taken_and_told(
    exported: Path,
    device: Device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(path: Path, threads: int) -> None:
        raise ModelError("it cannot read this")

    monkeypatch.setattr(engines, "engines_here", lambda: ["openvino"])
    monkeypatch.setattr(onnx_engine, "engines_here", lambda: ["openvino"])
    monkeypatch.setattr(onnx_engine, "_by_openvino", refuse)
    bundle = read_bundle(exported)
    assert choose_engines(bundle, device, "auto", tmp_path) == {"toy_regression": "torch"}
    assert "engine of toy_regression: not openvino: it cannot read this" in capsys.readouterr().err
