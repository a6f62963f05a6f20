"""How large an image may be."""

from __future__ import annotations

from comp.core.errors import DataError

MAX_PIXELS = 200_000_000  # a header that declares more is a decompression bomb or a mistake


def refuse_bomb(width: int, height: int) -> None:
    """Raise DataError for the size of an image that would not fit in memory."""
    if width * height > MAX_PIXELS:
        raise DataError(
            f"declares {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels "
            "are read. Make it smaller or remove it"
        )
