"""Fonts for names of any script, for matplotlib and for Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = ImageFont | FreeTypeFont

# Family and file of fonts that have other scripts than Latin, Hangul first.
_OTHERS = {
    "NanumGothic": "NanumGothic.ttf",
    "Malgun Gothic": "malgun.ttf",
    "AppleGothic": "AppleGothic.ttf",
    "Noto Sans CJK KR": "NotoSansCJK-Regular.ttc",
    "Noto Sans CJK JP": "NotoSansCJK-Regular.ttc",
    "Noto Emoji": "NotoEmoji-Regular.ttf",
}


@contextmanager
def any_script() -> Iterator[None]:
    """matplotlib with its own font, then the installed ones of other scripts.

    A letter that none of them has is drawn as a box, without a warning.
    """
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in _OTHERS if name in installed)]
    with matplotlib.rc_context({"font.family": fonts}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def font_for(texts: Sequence[str], size: int) -> Font:
    """A Pillow font of `size` pixels for these texts: Pillow's own where all are ASCII, else the
    first installed one of other scripts."""
    from PIL import ImageFont

    files = () if all(text.isascii() for text in texts) else dict.fromkeys(_OTHERS.values())
    for name in files:
        try:
            return ImageFont.truetype(name, size)
        except OSError:  # not on this machine
            continue
    return ImageFont.load_default(size)
