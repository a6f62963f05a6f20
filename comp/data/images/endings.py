"""JPEG and PNG files that lack their end: whole where no pixel is missing, else refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from comp.core.errors import DataError
from comp.data.images.limits import MAX_PIXELS

Pixels = np.ndarray[Any, Any]

# Markers of a JPEG: its beginning, its end, the scan, and the frame headers (they hold the size)
BEGIN, END_OF_JPEG, SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_COEFFICIENTS = 64  # of a block
_TRUNCATED = "a truncated JPEG (its end is missing). Copy or download it again"
_PNG, _END_OF_PNG = b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x00IEND\xaeB`\x82"


def mended_jpeg(content: bytes) -> bytes:
    """A JPEG without its end marker, with one; DataError where pixels are missing.

    Missing data show: then the pixels depend on what follows the end of the file.
    """
    content = content.rstrip(b"\xff")  # half of the marker
    if not _all_scans(content):
        raise DataError(_TRUNCATED)
    follow = (b"", b"\x55" * 4096, b"\xa3\x1c" * 2048)
    found = [_decoded(content + more + END_OF_JPEG) for more in follow]
    if found[0] is None or any(f is None or not np.array_equal(f, found[0]) for f in found):
        raise DataError(_TRUNCATED)
    return content + END_OF_JPEG


def _decoded(content: bytes) -> Pixels | None:
    """The pixels, by Pillow: OpenCV prints what it thinks of the bytes that were put in."""
    try:
        return np.asarray(Image.open(io.BytesIO(content)))
    except Exception:  # Pillow's readers raise whatever a broken file makes them
        return None


def _all_scans(content: bytes) -> bool:
    """Whether the scans of a JPEG hold every coefficient of every channel to its last bit."""
    channels: dict[int, set[int]] = {}
    progressive = False
    for marker, start, end in _segments(content):
        if marker in FRAMES:
            count = content[start + 5]
            channels = {content[start + 6 + 3 * k]: set() for k in range(count)}
            progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        if marker == SCAN:
            count = content[start]
            first, last, bits = content[end - 3 : end]
            whole = range(first, last + 1) if progressive else range(_COEFFICIENTS)
            for k in range(count):
                if not progressive or not bits & 15:
                    channels.get(content[start + 1 + 2 * k], set()).update(whole)
    return bool(channels) and all(len(found) == _COEFFICIENTS for found in channels.values())


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker of each segment of a JPEG, and where its content begins and ends."""
    place = len(BEGIN)
    while place + 4 <= len(content):
        place = content.find(b"\xff", place)
        if place < 0 or place + 4 > len(content):
            return
        marker = content[place + 1]
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD7:  # inside a scan, or a fill byte
            place += 1 if marker == 0xFF else 2
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if end > len(content):
            return
        yield marker, place + 4, end
        place = end


def mended_png(content: bytes) -> bytes:
    """A PNG without its end, with one, where its pixels are whole; other content as it is."""
    if not content.startswith(_PNG) or _END_OF_PNG[4:] in content[-64:]:
        return content
    head, packed = [content[:8]], []
    place = 8
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        kind = content[place + 4 : place + 8]
        end = place + 12 + length
        if kind == b"IEND":
            if end <= len(content):
                return content
            break
        if kind == b"IDAT":
            packed.append(content[place + 8 : min(end - 4, len(content))])
        elif end <= len(content):
            head.append(content[place:end])
        place = end
    try:
        rows = zlib.decompressobj().decompress(b"".join(packed), 8 * MAX_PIXELS)
    except zlib.error:
        return content
    data = b"IDAT" + zlib.compress(rows, 1)
    sum_ = struct.pack(">I", zlib.crc32(data))
    return b"".join([*head, struct.pack(">I", len(data) - 4), data, sum_, _END_OF_PNG])
