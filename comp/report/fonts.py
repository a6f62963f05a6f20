"""Names of any script in a picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_OTHERS = (
    "NanumGothic",
    "Malgun Gothic",
    "AppleGothic",
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Noto Emoji",
)


@contextmanager
def any_script() -> Iterator[None]:
    """matplotlib with its own font, then those of other scripts, as far as they are here.

    A letter that none of them knows is a box, and no warning.
    """
    import matplotlib
    from matplotlib.font_manager import fontManager

    here = {font.name for font in fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in _OTHERS if name in here)]
    with matplotlib.rc_context({"font.family": fonts}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
