"""Batches on the device, copied and augmented there while the one before is worked on."""

from __future__ import annotations

from collections.abc import Iterator

from comp.data.loader.batches import Raw
from comp.data.loader.loader import Loader
from comp.data.loader.targets import Batch
from comp.models.device import Device, sent_ahead


def on_device(loader: Loader, device: Device, epoch: int, first_step: int = 0) -> Iterator[Batch]:
    """The batches of `loader.epoch` on a CUDA device: copied from pinned memory, and augmented
    where the recipe is left to the device, by a stream of their own.

    The loop asks for a batch as soon as the work on the one before is in the queue of the device,
    so both run beside that work. On other devices the batches stay where they are.
    """
    if not device.cuda:
        yield from loader.epoch(epoch, first_step)
        return
    made = loader.raw(epoch, first_step)
    yield from sent_ahead(made, device, lambda raw: loader.finish(_sent(raw, device)))


def _sent(raw: Raw, device: Device) -> Raw:
    """What was prepared, on the device."""
    images, target, moves, rows = raw
    if moves is not None:
        moves = moves._replace(values=device.send(moves.values))
    return Raw(
        device.send(images) if rows is None else images,
        device.send(target),
        moves,
        None if rows is None else device.send(rows),
    )
