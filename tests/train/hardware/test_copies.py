"""Batches reach a CUDA device by a stream of their own, and stay where they are elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from comp.models.device import Device, choose_device
from comp.train.hardware.copies import on_device

BATCHES = [(torch.full((2,), number), torch.full((2,), -number)) for number in range(3)]


def test_on_a_cpu_batches_stay_where_they_are() -> None:
    found = [*on_device(BATCHES, choose_device("fp32"))]
    assert all(a is b for a, b in zip(found, BATCHES, strict=True))


def test_on_cuda_each_batch_is_copied_beside_and_waited_for_by_the_main_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dry, with streams that note what they are told."""
    told: list[str] = []

    class Stream:
        def __init__(self, name: Any) -> None:
            self.name = str(name)

        def wait_stream(self, other: Stream) -> None:
            told.append(f"{self.name} waits for {other.name}")

    @contextlib.contextmanager
    def using(stream: Stream) -> Iterator[None]:
        told.append(f"on {stream.name}")
        yield
        told.append("off")

    monkeypatch.setattr(torch.cuda, "Stream", lambda _: Stream("beside"))
    monkeypatch.setattr(torch.cuda, "stream", using)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream("main"))
    monkeypatch.setattr(Device, "send", lambda _, tensor: told.append("copy") or tensor.clone())
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda _, stream: told.append(f"kept for {stream.name}")
    )
    device = Device(torch.device("cuda"), "bf16", torch.bfloat16, scaled=False)
    for number, (images, target) in enumerate(on_device(iter(BATCHES), device)):
        assert (images.tolist(), target.tolist()) == ([number] * 2, [-number] * 2)
        told.append("work")
    one = ["on beside", "copy", "copy", "off", "main waits for beside", "kept for main"]
    assert told == [*one, "kept for main", "work"] * 3


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_arrives_is_what_was_sent() -> None:
    device = choose_device()
    many = [(torch.full((1 << 20,), number).pin_memory(), torch.ones(2)) for number in range(8)]
    for number, (images, target) in enumerate(on_device(many, device)):
        assert images.is_cuda
        assert target.is_cuda
        assert int(images.sum()) == number << 20
