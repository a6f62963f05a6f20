"""The workers that a config asks for."""

from __future__ import annotations

import pytest
import torch
from toys import toy_tree

from comp.config.loading import make_config
from comp.config.schema import TrainConfig
from comp.models.device import Device, choose_device
from comp.train.hardware import choice
from comp.train.hardware.choice import count_workers


def test_processes_prepare_images_for_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Device(torch.device("cuda"), "fp32", None, scaled=False)
    cpu = choose_device("fp32") if not torch.cuda.is_available() else None
    cpu = cpu or Device(torch.device("cpu"), "fp32", None, scaled=False)
    monkeypatch.setattr(choice, "cores", lambda most: min(most, 3))
    auto, three = TrainConfig(), TrainConfig(workers=5)
    assert [count_workers(auto, device) for device in (gpu, cpu)] == [3, 0]
    assert [count_workers(three, device) for device in (gpu, cpu)] == [5, 5]


def test_the_device_obeys_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(choice, "choose_device", lambda *words, **keys: asked.append(keys))
    for over in ({}, {"train__deterministic": True}, {"train__device": "cpu"}):
        choice.device_of(make_config(toy_tree("multiclass", **over)))
    choice.device_of(make_config(toy_tree("segmentation", image__resize="none")))
    assert [keys["deterministic"] for keys in asked] == [False, True, False, False]
    assert [keys["where"] for keys in asked] == ["auto", "auto", "cpu", "auto"]
    assert [keys["one_shape"] for keys in asked] == [True, True, True, False]
