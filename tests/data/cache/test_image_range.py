"""The range of images of more than 8 bits."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from comp.config.schema import ImageConfig
from comp.core.errors import RunError
from comp.data.cache import image_range
from comp.data.cache.contents import CONTENTS
from comp.data.cache.image_range import measure_depth, refuse_other_range, with_range
from comp.data.cache.pack import open_pack
from comp.data.images.pixel_form import PixelForm, span_of
from comp.data.index.index import Index

IMAGE = ImageConfig(size=8)


def laid(folder: Path, **highest: int) -> Index:
    """Grey images by their names, of 16 bits where the highest value needs them."""
    folder.mkdir()
    for name, high in highest.items():
        kind = np.uint8 if high < 256 else np.uint16
        pixels = np.linspace(0, high, 64).astype(kind).reshape(8, 8)
        (folder / f"{name}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    names = tuple(sorted(highest))
    return Index(names, tuple(folder / f"{name}.png" for name in names), ())


@pytest.mark.parametrize(
    ("high", "span"),
    [
        (1000, (0, 1023)),
        (4095, (0, 4095)),
        (4096, (0, 8191)),
        (16383, (0, 16383)),
        (20000, (0, 32767)),
        (32768, None),
        (65535, None),
        (255, None),
    ],
)
def test_the_range_is_that_of_the_training_images(
    tmp_path: Path, high: int, span: tuple[float, float] | None
) -> None:
    train = laid(tmp_path / "train", a=high // 2, b=high)
    assert span_of(with_range(IMAGE, train, tmp_path / "cache")) == span


def test_training_and_test_images_are_scaled_in_one_way_and_kept_apart_from_others(
    tmp_path: Path,
) -> None:
    train, test = laid(tmp_path / "train", a=4000), laid(tmp_path / "test", t=1000, u=200)
    image = with_range(IMAGE, train, tmp_path / "cache")
    for pack in ("memmap", "encoded", "none"):
        wanted = image.model_copy(update={"pack": pack})
        found = open_pack(test, wanted, tmp_path / "cache").images
        assert [int(np.asarray(found[row]).max()) for row in range(2)] == [1000 >> 4, 200]
    contents = [CONTENTS["memmap"](test, some) for some in (image, IMAGE)]
    assert contents[0].folder != contents[1].folder
    assert contents[1].settings == "2 memmap 8 stretch"  # as packs were before


def test_a_range_of_the_config_is_not_measured(tmp_path: Path) -> None:
    image = ImageConfig(size=8, range=(0, 100))
    assert with_range(image, laid(tmp_path / "train", a=4000), tmp_path / "cache") == image


def test_the_depth_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = laid(tmp_path / "train", a=4000, b=90, c=2000)
    depth = measure_depth(index.all_sources, tmp_path / "cache", PixelForm())
    assert depth is not None
    assert (depth.images, depth.low, depth.high, depth.bits) == (2, 0, 4000, 12)
    monkeypatch.setattr(image_range, "_ends", None)
    assert measure_depth(index.all_sources, tmp_path / "cache", PixelForm()) == depth


def test_a_checkpoint_of_other_pixels_is_refused() -> None:
    refuse_other_range(Path("best.pt"), [0.0, 4095.0], (0.0, 4095.0))
    refuse_other_range(Path("best.pt"), None, None)
    message = r"best\.pt: trained on pixels of image\.range \[0, 65535\], now it is \[0, 4095\]"
    with pytest.raises(RunError, match=message):
        refuse_other_range(Path("best.pt"), None, (0.0, 4095.0))


def arrays(folder: Path, **found: np.ndarray) -> Index:
    folder.mkdir()
    for name, array in found.items():
        np.save(folder / f"{name}.npy", array)
    names = tuple(sorted(found))
    return Index(names, tuple(folder / f"{name}.npy" for name in names), ())


def test_signed_numbers_and_floats_have_the_range_of_their_ends(tmp_path: Path) -> None:
    low, high = np.zeros((8, 9, 2), np.float32), np.ones((8, 9, 2), np.float32)
    low[0, 0], high[0, 0] = [-3, 5], [np.nan, 70]
    train = arrays(tmp_path / "train", a=low, b=high)
    image = ImageConfig(size=8, channels=2, bits=16)
    assert with_range(image, train, tmp_path / "cache").range == (-3.0, 70.0)
    each = image.model_copy(update={"range": "channels"})
    assert with_range(each, train, tmp_path / "cache").range == ((-3.0, 1.0), (0.0, 70.0))
    signed = arrays(tmp_path / "signed", a=np.full((8, 9, 2), -5, np.int16))
    assert with_range(image, signed, tmp_path / "cache").range == (-5.0, -4.0)


def test_windows_need_no_range(tmp_path: Path) -> None:
    image = ImageConfig(size=8, windows=[[40, 80], [1, 2], [3, 4]])
    train = arrays(tmp_path / "train", a=np.full((8, 9), -5, np.int16))
    assert with_range(image, train, tmp_path / "cache") == image


def test_ranges_of_channels_are_compared_too() -> None:
    each = ((0.0, 1.0), (2.0, 3.0))
    refuse_other_range(Path("best.pt"), [[0, 1], [2, 3]], each)
    with pytest.raises(RunError, match=r"\[\[0, 1\], \[2, 3\]\], now it is \[0, 1\]"):
        refuse_other_range(Path("best.pt"), each, (0.0, 1.0))


def test_a_pack_tells_of_values_outside_of_the_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = laid(tmp_path / "test", a=3000, b=5000, c=9000)
    open_pack(test, ImageConfig(size=8, range=(0, 4095)), tmp_path / "cache")
    said = capsys.readouterr().err
    assert "2 images have values outside of image.range (down to 0, up to 9000)" in said
