"""Parts of images that are too large for memory."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from comp.core.errors import DataError
from comp.data.images import slides
from comp.data.images.slides import Slide, occupied, rows_of, slides_in

PIXELS = np.random.default_rng(0).integers(0, 256, (150, 230, 3), dtype=np.uint8)


def stored(folder: Path, pixels: np.ndarray = PIXELS, **options: Any) -> Path:
    path = folder / "slide.tif"
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", **options})
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (64, 48)},
        {"tile": (64, 64), "compression": "zlib"},
        {"tile": (32, 32), "compression": "lzw", "bigtiff": True},
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
        {},
    ],
    ids=["tiles", "zlib", "lzw", "strips", "packed strips", "one strip"],
)
def test_a_part_is_what_the_whole_image_has_there(tmp_path: Path, options: Any) -> None:
    with Slide(stored(tmp_path, **options)) as slide:
        assert (slide.height, slide.width, slide.planes, slide.colours) == (150, 230, 3, True)
        draw = np.random.default_rng(1)
        for _ in range(20):
            top, left = int(draw.integers(140)), int(draw.integers(220))
            tall, wide = int(draw.integers(1, 151 - top)), int(draw.integers(1, 231 - left))
            part = slide.region(top, left, tall, wide)
            np.testing.assert_array_equal(part, PIXELS[top : top + tall, left : left + wide])


def test_deep_channels_are_read(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (96, 80, 5), dtype=np.uint16)
    path = stored(tmp_path, deep, photometric="minisblack", planarconfig="contig", tile=(32, 32))
    with Slide(path) as slide:
        np.testing.assert_array_equal(slide.region(10, 5, 60, 70), deep[10:70, 5:75])


def test_few_decoded_parts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slides, "_KEPT_BYTES", 3 * 32 * 32 * 3)
    with Slide(stored(tmp_path, tile=(32, 32))) as slide:
        np.testing.assert_array_equal(slide.region(0, 0, 150, 230), PIXELS)
        assert len(slide._kept) == 3


def test_every_pixel_is_in_a_tile_and_small_images_are_mirrored(tmp_path: Path) -> None:
    with Slide(stored(tmp_path, tile=(32, 32))) as slide:
        seen = np.zeros((150, 230), int)
        for row in slide.places(64, 0.25):
            assert len({top for top, _ in row}) == 1
            for top, left in row:
                tile = slide.tile(top, left, 64)
                part = PIXELS[top : top + 64, left : left + 64]
                np.testing.assert_array_equal(tile.pixels, part)
                seen[top : top + 64, left : left + 64] += 1
        assert seen.min() == 1
        large = slide.tile(0, 0, 200).pixels
        np.testing.assert_array_equal(large[150], PIXELS[149, :200])


def test_glass_and_black_are_background_and_tissue_is_not() -> None:
    image = np.full((10, 10, 3), 240, np.uint8)
    assert occupied(image) == 0
    assert occupied(np.zeros((10, 10, 5), np.uint16)) == 0
    image[:5] = (200, 120, 180)
    assert occupied(image) == 0.5
    assert occupied(image.astype(np.uint16) * 257) == 0.5


def test_what_cannot_be_read_part_by_part_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tif").write_bytes(b"no slide")
    with pytest.raises(DataError, match="a.tif: no TIFF that can be read"):
        Slide(tmp_path / "a.tif")
    planar = stored(tmp_path, np.moveaxis(PIXELS, 2, 0), planarconfig="separate")
    with pytest.raises(DataError, match="its channels lie apart"):
        Slide(planar)
    monkeypatch.setattr(slides, "_MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"parts of 230 x 150 pixels, too large.*save it in tiles"):
        Slide(stored(tmp_path, compression="zlib", rowsperstrip=150))


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    path = stored(tmp_path, tile=(32, 32), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as file:
        place = file.pages[0].dataoffsets[3]
    content[place : place + 40] = bytes(40)
    path.write_bytes(bytes(content))
    with Slide(path) as slide:
        slide.region(0, 0, 32, 32)
        with pytest.raises(DataError, match=r"slide\.tif: part 3 cannot be decoded"):
            slide.region(0, 0, 32, 230)


def test_slides_are_found_by_their_suffix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no slides; they end in \.tif"):
        slides_in(tmp_path)
    (tmp_path / "b").mkdir()
    for name in ("z.svs", "b/a.TIF", "c.png"):
        (tmp_path / name).write_bytes(b"")
    assert slides_in(tmp_path) == [tmp_path / "b/a.TIF", tmp_path / "z.svs"]
    assert slides_in(tmp_path / "z.svs") == [tmp_path / "z.svs"]


def test_a_raw_file_is_read_in_bands(tmp_path: Path) -> None:
    whole = PIXELS[..., 0]
    (tmp_path / "a.raw").write_bytes(whole.tobytes())
    bands = [*rows_of(tmp_path / "a.raw", whole.shape, 64)]
    assert [len(band) for band in bands] == [64, 64, 22]
    np.testing.assert_array_equal(np.concatenate(bands), whole)
