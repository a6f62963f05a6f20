from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from toys import SHARED, png_header

from comp.check.image_stats import measure_images
from comp.core.errors import DataError
from comp.data.images.decode import read_image
from comp.data.images.limits import MAX_PIXELS
from comp.data.images.resize import fit

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def smooth(height: int, width: int) -> np.ndarray:
    down, right = np.mgrid[0:height, 0:width]
    channels = [
        down * 255 // height,
        right * 255 // width,
        (down + right) * 255 // (height + width),
    ]
    return np.stack(channels, axis=2).astype(np.uint8)


def read(tmp_path: Path, content: bytes, name: str = "a.bin") -> np.ndarray:
    path = tmp_path / name
    path.write_bytes(content)
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    return image


def over_white(colour: np.ndarray, alpha: int) -> np.ndarray:
    return np.rint(colour * (alpha / 255) + 255 * (1 - alpha / 255)).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_lossless_files_of_any_mode_become_the_same_rgb(
    tmp_path: Path, kind: str, mode: str
) -> None:
    image = Image.fromarray(RGB).convert(mode)
    content = encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    expected = Image.open(io.BytesIO(content)).convert("RGB")
    np.testing.assert_array_equal(read(tmp_path, content), np.array(expected))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_of_any_mode_is_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(smooth(32, 48))
    content = encoded(image.convert(mode), "JPEG", quality=95)
    expected = np.array(image.convert(mode).convert("RGB"), dtype=int)
    assert np.abs(read(tmp_path, content) - expected).mean() < 3


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_lies_on_white(tmp_path: Path, mode: str, kind: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    image.putalpha(64)
    content = encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    colour = np.array(Image.fromarray(RGB).convert(mode).convert("RGB"), dtype=float)
    assert np.abs(read(tmp_path, content) - over_white(colour, 64)).max() <= 1


@pytest.mark.parametrize(("mode", "clear"), [("P", 1), ("L", 9), ("RGB", (9, 9, 9))])
def test_a_transparent_colour_turns_white(tmp_path: Path, mode: str, clear: object) -> None:
    image = Image.new(mode, (4, 2), clear)
    other = {"P": 0, "L": 30, "RGB": (30, 30, 30)}[mode]
    image.putpixel((0, 0), other)
    if mode == "P":
        image.putpalette([30, 30, 30, 9, 9, 9])
    expected = np.full((2, 4, 3), 255, dtype=np.uint8)
    expected[0, 0] = 30
    content = encoded(image, "PNG", transparency=clear)
    np.testing.assert_array_equal(read(tmp_path, content), expected)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3)])
@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_16_bits_lose_the_lower_8_and_are_not_clipped(
    tmp_path: Path, shape: tuple[int, ...], kind: str
) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)
    content = cv2.imencode(kind, deep)[1].tobytes()
    high = (deep >> 8).astype(np.uint8)
    expected = np.stack([high] * 3, axis=2) if deep.ndim == 2 else high[:, :, ::-1]
    np.testing.assert_array_equal(read(tmp_path, content), expected)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_shows_its_first_frame(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    expected = np.broadcast_to(np.array([255, 0, 0], dtype=np.uint8), (4, 5, 3))
    np.testing.assert_array_equal(read(tmp_path, content), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")],
)
def test_exif_orientation_is_applied(
    tmp_path: Path, kind: str, mode: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    image = Image.fromarray(smooth(24, 40)).convert(mode)
    content = encoded(image, kind, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    expected = np.array(upright.convert("RGB"), dtype=int)
    found = read(tmp_path, content)
    assert found.shape == expected.shape == ((24, 40, 3) if orientation < 5 else (40, 24, 3))
    assert np.abs(found - expected).max() <= 2


def test_korean_names_and_wrong_extensions_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "불량 이미지"
    folder.mkdir()
    content = encoded(Image.fromarray(RGB), "PNG")
    np.testing.assert_array_equal(read(folder, content, "표면 결함 0001.jpg"), RGB)


def test_a_jpeg_with_something_after_its_end_is_whole(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(smooth(32, 32)), "JPEG")
    np.testing.assert_array_equal(
        read(tmp_path, content + b"\xff\xda video \xff\x00"), read(tmp_path, content)
    )


def test_fill_bytes_in_a_jpeg_header_are_allowed(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(smooth(32, 32)), "JPEG")
    filled = content[:2] + b"\xff\xff" + content[2:]
    np.testing.assert_array_equal(read(tmp_path, filled), read(tmp_path, content))


def whole(kind: str) -> bytes:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), kind)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html>\n<html>404</html>", "a web page or XML.*'<!DOCTYPE html>'"),
        (b"id,label\n1,2\n", "not an image that can be decoded .*b'id,label'"),
        (whole("JPEG")[:3000], "truncated JPEG"),
        (whole("JPEG")[:-40], "truncated JPEG"),
        (whole("JPEG")[:40], "truncated JPEG"),
        (b"\xff\xd8\xff\xd9", "not an image"),
        (whole("PNG")[:3000], "damaged or truncated"),
        (whole("WEBP")[:1000], "damaged|cannot be decoded|not an image"),
        (whole("GIF")[:1000], "cannot be decoded"),
        (whole("TIFF")[:-3000], "cannot be decoded|not an image"),
    ],
)
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_a_file_without_a_whole_image_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"a.jpg: .*({reason})"):
        read_image(path)


def test_a_jpeg_cut_after_its_thumbnail_is_refused(tmp_path: Path) -> None:
    thumbnail = whole("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    content = whole("JPEG")
    content = content[:2] + segment + content[2:]
    (tmp_path / "a.jpg").write_bytes(content[: len(content) - 1000])
    with pytest.raises(DataError, match="truncated JPEG"):
        read_image(tmp_path / "a.jpg")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.jpg: no such file"):
        read_image(tmp_path / "no.jpg")
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_image(tmp_path)


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(np.zeros((4, 4), dtype=np.float32)), "TIFF")
    with pytest.raises(DataError, match="floating point"):
        read(tmp_path, content)


def jpeg_header(width: int, height: int) -> bytes:
    content = bytearray(whole("JPEG"))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize("content", [png_header(30000, 30000), jpeg_header(30000, 30000)])
def test_a_bomb_is_refused_from_its_header(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match="declares 30000 x 30000 pixels; at most 200 megapixels"):
        read(tmp_path, content)


_MEASURED = """
import sys
from pathlib import Path

from comp.check.image_stats import measure_images
from comp.data.images.decode import read_image
from comp.data.masks.file_source import read_grey
from comp.core.errors import DataError

def kilobytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))

bomb, before = Path(sys.argv[1]), kilobytes("VmRSS")
said = [str(measure_images([bomb], bomb.parent / "cache").problem[0])]
for read in (read_image, read_grey):
    try:
        read(bomb)
    except DataError as problem:
        said.append(str(problem))
print(kilobytes("VmHWM") - before, len(said), sum("30000 x 30000 pixels" in t for t in said))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read in /proc")
def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    row = b"\0" + bytes(30000 // 8)
    head = struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0)
    parts = (b"IHDR" + head, b"IDAT" + zlib.compress(row * 30000), b"IEND")
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in parts]
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert bomb.stat().st_size < 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(bomb)], capture_output=True, text=True, check=True
    )
    grown, *refused = map(int, done.stdout.split())
    assert refused == [3, 3]
    assert grown < 200_000  # kB; decoded it is 2,700,000


def test_the_limit_is_ours_and_not_pillows(tmp_path: Path) -> None:
    assert MAX_PIXELS > 19_000 * 10_000
    with pytest.raises(DataError, match="damaged or truncated"):
        read(tmp_path, png_header(19_000, 10_000))


@pytest.mark.parametrize("shape", [(1, 1), (8, 20000), (20000, 8)])
def test_images_of_extreme_shapes_are_read_and_looked_at(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    path = tmp_path / "odd.png"
    Image.fromarray(np.full((*shape, 3), 77, dtype=np.uint8)).save(path)
    assert read_image(path).shape == (*shape, 3)
    facts = measure_images([path], tmp_path / "cache")
    assert facts.problem.tolist() == [""]
    assert facts.size[0, :2].tolist() == [shape[1], shape[0]]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_turned_photographs_are_upright() -> None:
    turned = []
    for path in sorted((SHARED / "signs").rglob("*.JPG")):
        if path.stat().st_size < 100_000:  # the others are 100 x 100
            continue
        with Image.open(path) as image:
            if image.getexif().get(0x0112, 1) == 1:
                continue
            expected = np.array(ImageOps.exif_transpose(image).resize((64, 64)), dtype=float)
        turned.append(np.abs(fit(read_image(path), 64, "stretch") - expected).mean())
    assert len(turned) == 3
    assert max(turned) < 5
