"""One way to draw a picture with matplotlib: without a display, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comp.core import files
from comp.report.fonts import any_script


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """An empty matplotlib figure, written to `path` as a PNG when the block ends well.

    width, height: in inches of 120 pixels. Texts are drawn as they are: `$` begins no formula.
    Raises CompError when `path` cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), dpi=120, layout="constrained")
    with any_script(), rc_context({"text.parse_math": False, "text.usetex": False}):
        yield drawn
        with files.replacing(Path(path)) as beside:
            drawn.savefig(beside, format="png")
