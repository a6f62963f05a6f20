"""Digests of files, texts and rows: whether what is read is what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHORT_DIGITS = 32  # hex digits of `short_digest`
_CHUNK = 1 << 20


def digest_lines(lines: Iterable[str]) -> str:
    """SHA-256 of text lines, as hex. A line is ended by a byte that UTF-8 never holds."""
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode("utf-8", "surrogateescape") + b"\xff")
    return total.hexdigest()


def digest_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of the content of a file, as hex."""
    total = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def short_digest(content: bytes) -> str:
    """BLAKE2b of the content of an image file, 32 hex digits: half the time of SHA-256."""
    return hashlib.blake2b(content, digest_size=SHORT_DIGITS // 2).hexdigest()


def short_file_digest(path: Path) -> str:
    """`short_digest` of the content of a file; "missing" where the file cannot be read."""
    try:
        return short_digest(path.read_bytes())
    except (OSError, ValueError):
        return "missing"


def word_sum(payload: Any) -> int:
    """The sum of a payload's 8-byte words, modulo 2**64: any flipped byte changes it.

    payload: bytes or a contiguous uint8 array. (A CRC takes as long as decoding a small image.)
    """
    import numpy as np  # here: `comp status` must start quickly

    view = np.frombuffer(payload, dtype=np.uint8) if len(payload) else np.empty(0, np.uint8)
    view = view.reshape(-1)
    whole = len(view) - len(view) % 8
    total = int(view[:whole].view(np.uint64).sum(dtype=np.uint64))
    return (total + int.from_bytes(view[whole:].tobytes(), "little")) % 2**64
