"""Many small pictures with a title each, as one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comp.core import files
from comp.core.errors import UsageError
from comp.core.terminal import visible
from comp.report.fonts import font_for

if TYPE_CHECKING:
    from comp.report.fonts import Font

Pixels = np.ndarray[Any, Any]

_GAP = 6
_TEXT = 13
_SMALLEST = 96  # pixels of a cell; smaller images are shown magnified


def contact_sheet(
    images: Sequence[Pixels], titles: Sequence[str], path: Path, columns: int
) -> None:
    """Write a PNG with the images in rows of `columns`, each below its title.

    images: (H, W, 3) uint8, of any sizes; small ones are magnified by a whole number. Long titles
    are shortened. Raises UsageError when there are no images, no columns or not as many
    titles as images, CompError when `path` cannot be written.
    """
    from PIL import Image, ImageDraw

    if not images or columns < 1 or len(images) != len(titles):
        raise UsageError(
            f"{path}: a sheet needs at least one image, one column and one title per image; "
            f"there are {len(images)} images, {columns} columns, {len(titles)} titles"
        )
    zoom = max(1, _SMALLEST // max(max(image.shape[:2]) for image in images))
    height = zoom * max(image.shape[0] for image in images)
    width = max(_SMALLEST, zoom * max(image.shape[1] for image in images))
    text = _TEXT + 5
    columns = min(columns, len(images))
    lines = -(-len(images) // columns)
    size = (columns * (width + _GAP) + _GAP, lines * (text + height + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = font_for([visible(title) for title in titles], _TEXT)
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        left = _GAP + number % columns * (width + _GAP)
        top = _GAP + number // columns * (text + height + _GAP)
        draw.text((left, top), _shortened(title, width, font), fill="black", font=font)
        shown = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
        sheet.paste(Image.fromarray(shown), (left, top + text))
    with files.replacing(Path(path)) as beside:
        sheet.save(beside, format="PNG")


def _shortened(title: str, width: int, font: Font) -> str:
    """The title on one line, with an ellipsis where it does not fit."""
    title = visible(" ".join(title.split()))
    if font.getlength(title) <= width:
        return title
    while title and font.getlength(title + "…") > width:
        title = title[:-1]
    return title + "…"
