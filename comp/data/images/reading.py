"""From the files of an image to its pixels: (H, W, C) uint8 or uint16, by a `PixelForm`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from comp.core.checksums import short_digest
from comp.core.errors import DataError
from comp.data.images.decode import decode_image, read_content
from comp.data.images.deep import Outside, to_bits
from comp.data.images.pixel_form import PixelForm, several
from comp.data.images.stacks.files import of_several_planes, read_stack
from comp.data.images.stacks.stack import Stack, linear
from comp.data.index.sources import Source

Pixels = np.ndarray[Any, Any]

PLAIN = PixelForm()
_KEPT = 2  # volumes of which slices are read are kept, the latest
_volumes: OrderedDict[str, Stack] = OrderedDict()
_lock = threading.Lock()


def read_pixels(source: Source, form: PixelForm = PLAIN) -> Pixels:
    """The image: (H, W, C) uint8 or uint16, upright. Raises DataError, with the file."""
    contents = [read_content(path) for path in source.files]
    try:
        return develop(contents, form, source.slices)
    except DataError as problem:
        raise DataError(f"{source.name}: {problem}") from problem.__cause__


def develop(
    contents: Sequence[bytes],
    form: PixelForm = PLAIN,
    slices: Sequence[int | None] | None = None,
    outside: Outside | None = None,
) -> Pixels:
    """The image in files with these contents, see `read_pixels`. slices: for each file the number
    of the slice that is meant, or None. outside: notes an image with values outside of the span.

    Raises DataError with the reason alone: also for a file of another number of channels.
    """
    slices = slices or (None,) * len(contents)
    usual = form.plain and len(contents) == 1 and slices[0] is None
    if usual and not of_several_planes(contents[0]):
        return decode_image(contents[0], form.span, outside)
    return _finished(chosen(contents, form, slices), form, outside)


def of_planes(planes: Pixels, form: PixelForm, *, colours: bool = False) -> Pixels:
    """The pixels of planes (H, W, P) that were read already, see `develop`."""
    stack = Stack(planes, "TIFF", str(planes.dtype), colours=colours)
    return _finished([_cut(stack, form.planes, None, form.slices, True)], form, None)


def _finished(parts: Sequence[Stack], form: PixelForm, outside: Outside | None) -> Pixels:
    if form.windows == "file":
        return _joined([_by_own_window(part, form) for part in parts])
    if isinstance(form.windows, tuple):
        return _joined([_through(p, *window, form) for window in form.windows for p in parts])
    return _joined(_scaled(parts, form, outside))


def _scaled(parts: Sequence[Stack], form: PixelForm, outside: Outside | None) -> list[Pixels]:
    """The planes of each file, its black and white as the form says."""
    made, start, beyond = list[Pixels](), 0, Outside()
    for part in parts:
        end = start + part.planes.shape[2]
        own: Any = form.span[start:end] if several(form.span) and form.span else form.span
        pixels = to_bits(part.planes, own, form.bits, beyond)
        made.append(form.top - pixels if part.inverted else pixels)
        start = end
    if beyond.images and outside is not None:
        outside.note(beyond.low, beyond.high)
    return made


def chosen(
    contents: Sequence[bytes],
    form: PixelForm,
    slices: Sequence[int | None] | None = None,
    *,
    white: bool = True,
) -> list[Stack]:
    """What each file holds, with the planes that are asked for alone, unscaled. white: whether
    transparent pixels become white.

    Raises DataError for a file of another number of planes, and for files of several sizes.
    """
    if form.planes % len(contents):
        raise DataError(
            f"{len(contents)} files cannot have {form.planes} channels together; "
            "see image.channels and data.files"
        )
    each, alone = form.planes // len(contents), len(contents) == 1
    found = [
        _cut(_stack(content, number, white=white), each, number, form.slices, alone)
        for content, number in zip(contents, slices or (None,) * len(contents), strict=True)
    ]
    sizes = {part.planes.shape[:2] for part in found}
    if len(sizes) > 1:
        told = " and ".join(f"{width} x {height}" for height, width in sorted(sizes))
        raise DataError(f"its files are of several sizes: {told}")
    return found


def _stack(content: bytes, number: int | None, *, white: bool) -> Stack:
    """The planes of a file; a volume of which slices are read is kept for the next one."""
    if number is None:
        stack = read_stack(content)
        return stack if white or not stack.alpha else _with(stack, stack.planes[..., :-1])
    key = short_digest(content)
    with _lock:
        if key not in _volumes:
            _volumes[key] = read_stack(content)
            while len(_volumes) > _KEPT:
                _volumes.popitem(last=False)
        _volumes.move_to_end(key)
        return _volumes[key]


def _cut(stack: Stack, each: int, number: int | None, slices: str, alone: bool) -> Stack:
    """The stack with `each` planes."""
    planes, count = stack.planes, stack.planes.shape[2]
    if number is not None:
        return _with(stack, planes[..., _around(number, each, count)])
    if count == each:
        return stack
    if stack.alpha and each in (1, 3):
        stack = _with(stack, _on_white(planes))
        planes, count = stack.planes, stack.planes.shape[2]
        if count == each:
            return stack
    if each == 1 and stack.colours:
        return _with(stack, _grey(planes, alone))
    if each == 3 and count == 1 and alone:
        return _with(stack, np.repeat(planes, 3, axis=2))
    if slices != "all" and count > each:
        return _with(stack, planes[..., _some(slices, each, count)])
    raise DataError(_other_count(stack, each, alone))


def _other_count(stack: Stack, each: int, alone: bool) -> str:
    height, width, count = stack.planes.shape
    text = f"{stack.kind} of {count} channels ({width} x {height}, {stack.planes.dtype})"
    what = f"image.channels asks for {each}" + ("" if alone else " of each file")
    hint = "image.slices: spread or middle takes some of them, # and a number one (data.files)"
    return f"{text}; {what}. Set image.channels" + (f"; {hint}" if count > each else "")


def _with(stack: Stack, planes: Pixels) -> Stack:
    colours = stack.colours and planes.shape[2] == 3
    return replace(stack, planes=np.ascontiguousarray(planes), colours=colours, alpha=False)


def _around(number: int, each: int, count: int) -> list[int]:
    """The slice and its neighbours on both sides; beyond an end the last one again."""
    if number >= count:
        raise DataError(f"it has {count} slices, 0 to {count - 1}; slice {number} is asked for")
    start = number - (each - 1) // 2
    return [min(max(n, 0), count - 1) for n in range(start, start + each)]


def _some(slices: str, each: int, count: int) -> list[int]:
    """Some of `count` planes: spread evenly, or those in the middle."""
    if slices == "middle":
        start = (count - each) // 2
        return [*range(start, start + each)]
    return [int(place) for place in (np.arange(each) + 0.5) * count / each]


def _on_white(planes: Pixels) -> Pixels:
    """Without alpha: what is transparent is white."""
    top = np.iinfo(planes.dtype).max if planes.dtype.kind in "ui" else 1.0
    share = planes[..., -1:].astype(np.float64) / top
    mixed = planes[..., :-1] * share + top * (1 - share)
    return np.asarray(np.rint(mixed) if planes.dtype.kind in "ui" else mixed).astype(planes.dtype)


def _grey(planes: Pixels, alone: bool) -> Pixels:
    """One plane of red, green and blue: that which they have in common, or their brightness."""
    if (planes == planes[..., :1]).all():
        return planes[..., :1]
    if not alone:
        raise DataError(
            "a picture in colours, of which one channel is asked for: each file of an image has "
            "image.channels / number of files. Set image.channels, or make it grey"
        )
    if planes.dtype in (np.uint8, np.uint16):
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(planes), cv2.COLOR_RGB2GRAY))[..., None]
    grey = planes.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return np.asarray(grey.astype(planes.dtype))[..., None]


def _joined(planes: Sequence[Pixels]) -> Pixels:
    """All planes, one after another."""
    return np.ascontiguousarray(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2))


def _by_own_window(part: Stack, form: PixelForm) -> Pixels:
    if part.window is not None:
        return _shown(part.window(part.planes), part.inverted, form)
    if part.planes.dtype == np.uint8:  # as it is shown
        pixels = to_bits(part.planes, None, form.bits)
        return form.top - pixels if part.inverted else pixels
    raise DataError(
        f"{part.kind} that states no window (image.windows: file). Name the windows, such as "
        "image.windows: [[40, 80]], or leave the key out and use image.range"
    )


def _through(part: Stack, centre: float, width: float, form: PixelForm) -> Pixels:
    return _shown(linear(centre, width)(part.planes), part.inverted, form)


def _shown(shares: Pixels, inverted: bool, form: PixelForm) -> Pixels:
    """Whole numbers of shares from 0 to 1."""
    if not np.isfinite(shares).all():
        raise DataError("pixels that are not finite (NaN or infinity)")
    level = np.rint(shares * form.top)
    return np.asarray(form.top - level if inverted else level).astype(form.dtype)


def picture_of(pixels: Pixels) -> Pixels:
    """(H, W, 3) uint8 of the pixels of an image, to look at: grey, RGB, or its first channels as
    red, green and blue."""
    if pixels.dtype != np.uint8:
        pixels = (pixels >> 8).astype(np.uint8)
    count = pixels.shape[2]
    if count == 3:
        return pixels
    if count > 3:
        return np.ascontiguousarray(pixels[..., :3])
    return np.ascontiguousarray(pixels[..., [0, 0, 0] if count == 1 else [0, 1, 1]])


def read_picture_of(source: Source, form: PixelForm = PLAIN) -> Pixels:
    """`picture_of` an image that is read from its files."""
    return picture_of(read_pixels(source, form))
