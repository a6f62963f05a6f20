"""The last 64 bytes of a checkpoint: its epoch and step, and the digest that reveals a torn one.

    8 bytes    epoch, 8 bytes step: unsigned, big endian
    16 bytes   b"comp checkpoint\\n"
    32 bytes   SHA-256 of everything before the mark

They are read without opening the checkpoint, and without torch.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

MARK = b"comp checkpoint\n"
_PLACE = struct.Struct(">QQ")
SIZE = _PLACE.size + len(MARK) + 32


def seal(body: hashlib._Hash, epoch: int, step: int) -> bytes:
    """The seal of a content whose digest so far is `body`."""
    place = _PLACE.pack(epoch, step)
    body.update(place)
    return place + MARK + body.digest()


def is_whole(content: memoryview) -> bool:
    """Whether a content with its seal is what was written."""
    if len(content) < SIZE or content[-SIZE + _PLACE.size : -32] != MARK:
        return False
    body = content[: -SIZE + _PLACE.size]
    return hashlib.sha256(body).digest() == content[-32:]


def read_place(path: Path) -> tuple[int, int] | None:
    """Epoch and step of a checkpoint; None when it is missing or its end is torn off.

    The content is not checked: that takes reading all of it.
    """
    try:
        with path.open("rb") as handle:
            handle.seek(-SIZE, os.SEEK_END)
            end = handle.read(SIZE)
    except OSError:
        return None
    if end[_PLACE.size : -32] != MARK:
        return None
    epoch, step = _PLACE.unpack_from(end)
    return epoch, step
