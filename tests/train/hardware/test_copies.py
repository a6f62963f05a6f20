"""Batches reach a CUDA device by a stream of their own, and stay where they are elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cards import Card
from train_jobs import make_job

from comp.data.loader.batched.draws import Moves
from comp.data.loader.batched.resident import Resident
from comp.data.loader.batches import Raw
from comp.models.device import Device, choose_device
from comp.train.batches import make_loader
from comp.train.hardware.copies import on_device

CPU = Device(torch.device("cpu"), "fp32", None, scaled=False)

BATCHES = [Raw(torch.full((2,), number), torch.full((2,), -number)) for number in range(3)]


class Feed:
    """A loader of these batches; a batch with moves is turned round when it is finished."""

    def __init__(self, batches: list[Raw]) -> None:
        self.batches = batches

    def raw(self, epoch: int, first_step: int) -> Iterator[Raw]:
        return iter(self.batches[first_step:])

    def epoch(self, number: int, first_step: int) -> Iterator[Any]:
        return (self.finish(raw) for raw in self.raw(number, first_step))

    def finish(self, raw: Raw) -> Any:
        return (raw.images if raw.moves is None else raw.images.flip(0)), raw.target


def test_on_a_cpu_batches_stay_where_they_are() -> None:
    found = [*on_device(Feed(BATCHES), choose_device("fp32"), 0, 1)]
    assert [images is raw.images for (images, _), raw in zip(found, BATCHES[1:], strict=True)]
    assert [target is raw.target for (_, target), raw in zip(found, BATCHES[1:], strict=True)]


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
    for number, (images, target) in enumerate(on_device(Feed(BATCHES), device, 0)):
        assert (images.tolist(), target.tolist()) == ([number] * 2, [-number] * 2)
        told.append("work")
    one = ["on beside", "copy", "copy", "off", "main waits for beside", "kept for main"]
    assert told == ["beside waits for main", *([*one, "kept for main", "work"] * 3)]


def test_on_cuda_the_device_does_its_part_beside_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dry: what is to be done is sent with the images, and done before the main stream waits."""
    told: list[str] = []
    stream = SimpleNamespace(wait_stream=lambda _: told.append("wait"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    monkeypatch.setattr(Device, "send", lambda _, tensor: told.append("copy") or tensor)

    class Told(Feed):
        def finish(self, raw: Raw) -> Any:
            told.append("finish")
            return super().finish(raw)

    raw = Raw(torch.arange(2), torch.arange(2), Moves([], torch.zeros(0)), None)
    device = Device(torch.device("cuda"), "bf16", torch.bfloat16, scaled=False)
    ((images, _),) = on_device(Told([raw]), device, 0)
    assert images.tolist() == [1, 0]
    assert told == ["wait", "copy", "copy", "copy", "finish", "wait"]
    rows = Raw(torch.empty(0), torch.arange(2), None, torch.arange(2))
    told.clear()
    next(on_device(Told([rows]), device, 0))
    assert told == ["wait", "copy", "copy", "finish", "wait"]  # target and rows, no images


def test_what_arrives_is_what_was_sent(card: Card) -> None:
    device = card.device()
    many = [Raw(torch.full((1 << 20,), number).pin_memory(), torch.ones(2)) for number in range(8)]
    for number, (images, target) in enumerate(on_device(Feed(many), device, 0)):
        assert images.device.type == target.device.type == card.place.type
        assert int(images.sum()) == number << 20


@pytest.mark.parametrize("stays", [False, True])
def test_a_card_augments_the_images_of_the_cpu_and_nobody_waits(
    tmp_path: Path, stays: bool, card: Card
) -> None:
    over = {"augment__recipe": "heavy", "augment__backend": "device"}
    job = make_job(tmp_path, device=card.device(), **over)
    expected = [*make_loader(replace(job, device=CPU), 0).epoch(1)]
    if stays:
        job = replace(job, resident=Resident(job.images, card.place))
    loader = make_loader(job, 0)
    with card.nobody_waits():
        found = [*on_device(loader, job.device, 1)]
    for (images, target), (own, truth) in zip(found, expected, strict=True):
        assert images.device.type == card.place.type
        assert target.cpu().equal(truth)
        assert (images.cpu().int() - own.int()).abs().float().mean() < 0.25
