"""Batches on the device, copied while the one before is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from comp.data.loader.targets import Batch
from comp.models.device import Device


def on_device(batches: Iterable[Batch], device: Device) -> Iterator[Batch]:
    """The same batches on a CUDA device, copied from pinned memory by a stream of their own.

    The loop asks for a batch as soon as the work on the one before is in the queue of the device,
    so the copy runs beside that work. On other devices the batches stay where they are.
    """
    if not device.cuda:
        yield from batches
        return
    beside = torch.cuda.Stream(device.torch_device)
    for images, target in batches:
        with torch.cuda.stream(beside):
            moved = device.send(images), device.send(target)
        main = torch.cuda.current_stream(device.torch_device)
        main.wait_stream(beside)
        for tensor in moved:
            tensor.record_stream(main)  # its memory is free when the work of `main` is done
        yield moved
