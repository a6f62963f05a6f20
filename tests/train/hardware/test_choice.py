"""The workers that a config asks for."""

from __future__ import annotations

import albumentations as A
import pytest
import torch
from toys import toy_tree

from comp.config.loading import make_config
from comp.config.schema import TrainConfig
from comp.core.errors import ConfigError
from comp.data.loader import recipes
from comp.models.device import Device, choose_device
from comp.train.hardware import choice
from comp.train.hardware.choice import batched, count_workers


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


CPU = Device(torch.device("cpu"), "fp32", None, scaled=False)
GPU = Device(torch.device("cuda"), "bf16", torch.bfloat16, scaled=False)


@pytest.mark.parametrize(
    ("over", "device", "expected"),
    [
        ({}, CPU, False),
        ({}, GPU, True),
        ({"augment__backend": "cpu"}, GPU, False),
        ({"augment__backend": "device"}, CPU, True),
        ({"augment__recipe": "odd"}, GPU, False),
        ({"image__channels": 4}, GPU, False),
        ({"image__bits": 16}, GPU, False),
        ({"image__resize": "none", "task": "segmentation"}, GPU, False),
    ],
)
def test_what_augments(
    monkeypatch: pytest.MonkeyPatch, over: dict[str, str], device: Device, expected: bool
) -> None:
    monkeypatch.setitem(recipes.RECIPES, "odd", lambda size: [A.CLAHE(p=1)])
    kind = over.pop("task", "multiclass")
    assert batched(make_config(toy_tree(kind, **over)), device) is expected


def test_a_backend_that_cannot_do_it_is_refused_with_the_transform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(recipes.RECIPES, "odd", lambda size: [A.CLAHE(p=1)])
    tree = toy_tree("multiclass", augment__backend="device", augment__recipe="odd")
    with pytest.raises(ConfigError, match=r"augment\.backend.*'odd' has CLAHE.*Use auto, or cpu"):
        batched(make_config(tree), GPU)
    tree = toy_tree("segmentation", augment__backend="device", image__resize="none")
    with pytest.raises(ConfigError, match=r"image\.resize: none augments each image"):
        batched(make_config(tree), GPU)
    tree = toy_tree("multiclass", augment__backend="device", image__channels=1)
    with pytest.raises(ConfigError, match="it augments images of 3 channels and 8 bits only"):
        batched(make_config(tree), GPU)
