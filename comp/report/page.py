"""One way to write a page: one HTML file with its pictures inside, that needs nothing else."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup

from comp.core import files
from comp.core.terminal import visible
from comp.report.overlay import overlay

Array = np.ndarray[Any, Any]


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write the page that `templates/<template>.html.j2` makes of these values; texts are escaped.

    Raises CompError when `path` cannot be written.
    """
    files.write_text(path, rendered(template, **values))


def rendered(template: str, **values: Any) -> str:
    """The same page as a text."""
    return str(_environment().get_template(f"{template}.html.j2").render(values))


def part(template: str, name: str, *values: Any) -> Markup:
    """What the macro `name` of a template makes of these values: a part of a page."""
    macros = _environment().get_template(f"{template}.html.j2").module
    return Markup(getattr(macros, name)(*values).strip())


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("comp", "report/templates"),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = words
    return environment


def words(text: str) -> Markup:
    """A sentence as markup: what stands in backticks is code; the rest is escaped."""
    parts = [Markup("{}").format(visible(part)) for part in text.split("`")]
    coded = [Markup("<code>{}</code>").format(p) if n % 2 else p for n, p in enumerate(parts)]
    return Markup("").join(coded)


def shrunk(pixels: Array, side: int, *, mask: bool = False) -> Array:
    """Pixels (H, W) or (H, W, C) with a longer side of `side`; mask: keep the numbers as they are.

    Smaller images are magnified without smoothing.
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST_EXACT if mask else smooth)


def masked(image: Array, mask: Array, side: int) -> Array:
    """An image (H, W, 3) with its mask (H, W, L) painted over it, its longer side `side`."""
    layers = [shrunk(np.ascontiguousarray(mask[:, :, k]), side, mask=True)
              for k in range(mask.shape[2])]  # fmt: skip
    return overlay(shrunk(image, side), np.stack(layers, axis=2))


def embedded(pixels: Array) -> str:
    """(H, W, 3) uint8 RGB as a JPEG in a data address, for the `src` of an image."""
    coded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()
