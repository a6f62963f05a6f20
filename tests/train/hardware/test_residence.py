"""When the images of a fold stay on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import toy_tree

from comp.config.loading import make_config
from comp.config.schema import Config
from comp.core.errors import ConfigError
from comp.data.loader.batched.resident import Resident
from comp.models.device import Device
from comp.train.hardware import residence
from comp.train.hardware.residence import keep_there

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 3), dtype=np.uint8)
CPU = Device(torch.device("cpu"), "fp32", None, scaled=False)
GPU = Device(torch.device("cuda"), "bf16", torch.bfloat16, scaled=False)


def config(resident: str, **over: object) -> Config:
    return make_config(toy_tree("multiclass", image__resident=resident, **over))


def test_on_a_cpu_they_stay_only_where_that_is_asked_for() -> None:
    assert keep_there(config("auto"), CPU, IMAGES, False) is None
    assert keep_there(config("off"), CPU, IMAGES, False) is None
    there = keep_there(config("on", augment__recipe="none"), CPU, IMAGES, False)
    assert there is not None
    np.testing.assert_array_equal(there.images, IMAGES)


@pytest.mark.parametrize(("free", "fits"), [(1000, True), (700, False)])
def test_on_cuda_they_stay_where_they_fit(
    monkeypatch: pytest.MonkeyPatch, free: int, fits: bool
) -> None:
    """Of 480 bytes, with a card that is a fake."""
    made: list[torch.device] = []

    def copied(images: np.ndarray, device: torch.device) -> Resident:
        made.append(device)
        return Resident(images, torch.device("cpu"))

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10 * free))
    monkeypatch.setattr(residence, "Resident", copied)
    assert (keep_there(config("auto"), GPU, IMAGES, False) is not None) is fits
    assert made == [GPU.torch_device] * fits
    if not fits:
        with pytest.raises(ConfigError, match=r"image\.resident: on .* 60% of the free memory"):
            keep_there(config("on"), GPU, IMAGES, False)


def test_memory_that_is_full_meanwhile_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Resident:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**9, 10**9))
    monkeypatch.setattr(residence, "Resident", full)
    assert keep_there(config("auto"), GPU, IMAGES, False) is None
    with pytest.raises(ConfigError, match="the memory of the device is full"):
        keep_there(config("on"), GPU, IMAGES, False)


@pytest.mark.parametrize(
    ("over", "images", "others", "message"),
    [
        ({"augment__recipe": "light"}, IMAGES, False, "the CPU augments"),
        ({"augment__cutpaste": 0.5}, IMAGES, False, "pastes on the CPU"),
        ({"augment__copies": {"classes": ["x"]}}, IMAGES, False, "turns images on the CPU"),
        ({"image__pack": "none"}, [*IMAGES], False, "decodes images for each batch"),
        ({"augment__recipe": "none"}, IMAGES, True, "lie elsewhere"),
        ({"image__channels": 5}, IMAGES, False, "of 3 channels and 8 bits"),
        ({"image__bits": 16}, IMAGES, False, "of 3 channels and 8 bits"),
    ],
)
def test_what_the_cpu_does_to_images_keeps_them_there(
    over: dict[str, object], images: object, others: bool, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        keep_there(config("on", **over), CPU, images, others)
