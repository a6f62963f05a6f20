"""An image file as upright RGB, whatever the file; and the square that it is brought to.

OpenCV decodes the everyday files. What it gets wrong or does not know (it drops transparency, for
one) is decoded by Pillow. The header is read first: for the size that it declares, and for the end
of a JPEG, of which OpenCV 4 hands out the half that is there.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from comp.core.errors import DataError, pick
from comp.data.images.geometry import OWN_SIZE

Pixels = np.ndarray[Any, Any]

MAX_PIXELS = 200_000_000  # a larger header is a bomb or a mistake

# The limit above stands for Pillow's own, which warns at 89 megapixels and refuses at 179.
Image.MAX_IMAGE_PIXELS = None

# Damaged files are told by our errors; OpenCV's own warnings would stand between the bars.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)

# What OpenCV decodes as Pillow would, the orientation in the EXIF data included.
_OPENCV = {
    "PNG": {"RGB", "L", "1", "P"},
    "BMP": {"RGB", "L", "P"},
    "WEBP": {"RGB"},
}
# Markers of a JPEG: its beginning, the frame headers (they hold the size), the scan, the end.
_BEGIN, _SCAN, _END = b"\xff\xd8", 0xDA, b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_image(path: Path) -> Pixels:
    """The image in `path`: (H, W, 3) uint8, RGB, upright.

    Grey and palettes become RGB, 16 bits lose the lower 8 (never clipped), transparency lies on
    white, an animation shows its first frame, the EXIF orientation is applied.
    Raises DataError with the reason: missing, empty, no image, truncated, undecodable, or a
    header that declares more than `MAX_PIXELS` (found before anything is decoded).
    """
    content = read_content(path)
    try:
        return decode_image(content)
    except DataError as problem:
        raise DataError(f"{path}: {problem}") from problem.__cause__


def read_content(path: Path) -> bytes:
    """The bytes of a file; DataError with the reason when it cannot be opened."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise DataError(f"{path}: cannot be read ({reason})") from problem


def decode_image(content: bytes) -> Pixels:
    """What `read_image` gives for a file with this content; DataError with the bare reason."""
    if not content:
        raise DataError("an empty file")
    if content.startswith(_BEGIN) and _is_everyday_jpeg(content):
        return _decode_opencv(content)
    try:
        image = Image.open(io.BytesIO(content))
    except Exception as problem:  # Pillow's readers raise whatever a broken header makes them
        raise DataError(_why_unknown(content)) from problem
    refuse_bomb(*image.size)
    return _decode_opencv(content) if _is_everyday(image) else _decode_pillow(image)


def refuse_bomb(width: int, height: int) -> None:
    """Raise DataError for the size of an image that would not fit in memory."""
    if width * height > MAX_PIXELS:
        raise DataError(
            f"declares {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels "
            "are read. Make it smaller or remove it"
        )


def _why_unknown(content: bytes) -> str:
    """What a file is that no reader knows."""
    begin = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith(b"<"):
        text = begin[:30].decode("utf-8", "replace").split("\n")[0]
        return f"a web page or XML, not an image (it begins with {text!r}). Download it again"
    return f"not an image that can be decoded (it begins with {content[:8]!r})"


def _is_everyday_jpeg(content: bytes) -> bool:
    """Whether a JPEG is grey or has three colours; DataError for a bomb and for a truncated one.

    (Pillow would read every segment of the header: as long as decoding a small image takes.)
    """
    place, channels = len(_BEGIN), 0
    while content[place : place + 1] == b"\xff" and place + 9 < len(content):
        marker = content[place + 1]
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            height, width, channels = struct.unpack_from(">HHB", content, place + 5)
            refuse_bomb(width, height)
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        place += 1 if marker == 0xFF else 2 + length  # 0xFF: a fill byte
    # Inside a scan no marker can occur. After the end there may be anything: phones append videos.
    if content.find(_END, place) < 0:
        raise DataError("a truncated JPEG (its end is missing). Copy or download it again")
    return channels in {1, 3}


def _is_everyday(image: Image.Image) -> bool:
    plain = image.mode in _OPENCV.get(image.format or "", ())
    return plain and "transparency" not in image.info


def _decode_opencv(content: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as problem:
        raise DataError(f"cannot be decoded ({problem.err})") from problem
    if pixels is None:
        raise DataError("damaged or truncated: the header is whole, the pixels are not")
    return pixels


def _decode_pillow(image: Image.Image) -> Pixels:
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _GREY_DEPTHS.get(upright.mode, _on_white)(upright)
    except DataError:
        raise
    except Exception as problem:  # Pillow's readers raise whatever broken pixels make them
        raise DataError(f"cannot be decoded ({problem})") from problem


def _on_white(image: Image.Image) -> Pixels:
    """RGB of 8-bit pixels in any mode; what is transparent shows white."""
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    colour = image.convert("RGBA")
    white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
    return np.array(Image.alpha_composite(white, colour).convert("RGB"))


def _high_byte(image: Image.Image) -> Pixels:
    """RGB of grey pixels with 16 bits: the higher 8."""
    grey = np.asarray(image)
    if grey.size and (grey.min() < 0 or grey.max() > 0xFFFF):
        raise DataError(
            f"grey values {grey.min()}..{grey.max()} do not fit 16 bits. Convert it to 8 bits"
        )
    return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)


def _refuse_float(image: Image.Image) -> Pixels:
    raise DataError(f"pixels are floating point (mode {image.mode!r}). Convert it to 8 bits")


_GREY_DEPTHS: dict[str, Callable[[Image.Image], Pixels]] = {
    "I;16": _high_byte,
    "I;16B": _high_byte,
    "I;16L": _high_byte,
    "I;16N": _high_byte,
    "I": _high_byte,
    "F": _refuse_float,
}


Scale = Callable[[Pixels, int, int], Pixels]


def _scale(image: Pixels, width: int, height: int) -> Pixels:
    """The image at another size: averaged along the axes that shrink, interpolated along those
    that grow."""
    old_height, old_width = image.shape[:2]
    shrunk = (min(width, old_width), min(height, old_height))
    if shrunk != (old_width, old_height):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def _nearest(mask: Pixels, width: int, height: int) -> Pixels:
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _stretch(image: Pixels, size: int, scale: Scale) -> Pixels:
    return scale(image, size, size)


def _pad(image: Pixels, size: int, scale: Scale) -> Pixels:
    """The whole image, centred; the rest is its mirror image. (Bars of one colour would show a
    network how long the image was, and with it perhaps the class.)"""
    height, width = image.shape[:2]
    longer = max(height, width)
    image = scale(
        image, max(1, round(width * size / longer)), max(1, round(height * size / longer))
    )
    tall, wide = size - image.shape[0], size - image.shape[1]
    top, left = tall // 2, wide // 2
    return cv2.copyMakeBorder(
        image, top, tall - top, left, wide - left, borderType=cv2.BORDER_REFLECT_101
    )


def _crop(image: Pixels, size: int, scale: Scale) -> Pixels:
    """The central square. (Cut first: an 8 x 20000 image grown to its short side is 800 MB.)"""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return scale(image[top : top + side, left : left + side], size, size)


def _as_it_is(image: Pixels, size: int, scale: Scale) -> Pixels:
    return image


RESIZES: dict[str, Callable[[Pixels, int, Scale], Pixels]] = {
    "stretch": _stretch,
    "pad": _pad,
    "crop": _crop,
    **dict.fromkeys(OWN_SIZE, _as_it_is),
}


def fit(image: Pixels, size: int, resize: str) -> Pixels:
    """(H, W, 3) uint8 as (size, size, 3) uint8, by one of `RESIZES`.

    `stretch` ignores the aspect; `pad` keeps it and fills with the mirror image; `crop` keeps it
    and loses the ends; `none` and `tiles` leave the image at its own size. Raises ConfigError
    for an unknown name.
    """
    how = pick(RESIZES, resize, "way to resize (image.resize)")
    return np.ascontiguousarray(how(image, size, _scale))


def fit_mask(mask: Pixels, size: int, resize: str) -> Pixels:
    """(H, W, L) uint8 as (size, size, L) uint8: moved as `fit` moves its image, without new values.

    Each pixel is its nearest one. Raises ConfigError for an unknown name.
    """
    how = pick(RESIZES, resize, "way to resize (image.resize)")
    layers = [how(np.ascontiguousarray(layer), size, _nearest) for layer in np.moveaxis(mask, 2, 0)]
    return np.stack(layers, axis=2)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of the upright image in `path`, from its header.

    Raises DataError where it cannot be read.
    """
    (height, width), turned = stored_size(path)
    return (width, height) if turned > 4 else (height, width)


def stored_size(path: Path) -> tuple[tuple[int, int], int]:
    """Height and width of an image as it is stored, and its EXIF orientation, 1 to 8."""
    try:
        with Image.open(path) as image:
            return (image.height, image.width), int(image.getexif().get(_ORIENTATION, 1) or 1)
    except Exception as problem:  # Pillow's readers raise whatever a broken header makes them
        raise DataError(f"{path}: its header cannot be read ({problem})") from problem


_ORIENTATION = 0x0112  # in EXIF: 1 upright; 5 to 8 lie on their side
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda mask: mask[:, ::-1],
    3: lambda mask: mask[::-1, ::-1],
    4: lambda mask: mask[::-1],
    5: lambda mask: mask.transpose(1, 0, 2),
    6: lambda mask: mask.transpose(1, 0, 2)[:, ::-1],
    7: lambda mask: mask[::-1, ::-1].transpose(1, 0, 2),
    8: lambda mask: mask.transpose(1, 0, 2)[::-1],
}


def upright_mask(mask: Pixels, path: Path) -> Pixels:
    """The mask (H, W, L) of an image turned as its EXIF data turn the image.

    A mask of the size that the image is stored in is turned with it; one that has the upright size
    already is left. Raises DataError, with both sizes, for any other.
    """
    stored, orientation = stored_size(path)
    upright = stored[::-1] if orientation > 4 else stored
    if mask.shape[:2] == stored and orientation in _UPRIGHT:
        return np.ascontiguousarray(_UPRIGHT[orientation](mask))
    if mask.shape[:2] != upright:
        found, want = (f"{size[1]} x {size[0]}" for size in (mask.shape[:2], upright))
        raise DataError(f"{path}: the mask is {found} pixels, the image {want}")
    return mask
