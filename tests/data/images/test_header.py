from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comp.data.images.decode import read_image
from comp.data.images.header import image_size, upright_mask


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_exif_turns_its_image(workspace: Path, orientation: int) -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save("a.png", exif=exif)
    mask = upright_mask(pixels[..., :1] // 255, Path("a.png"))
    image = read_image(Path("a.png"))
    assert image_size(Path("a.png")) == image.shape[:2]
    assert (mask[..., 0] == image[..., 0] // 255).all()


def test_a_mask_that_is_upright_already_is_left(workspace: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save("a.jpg", exif=exif)
    mask = np.arange(24 * 16, dtype=np.uint16).reshape(24, 16, 1).astype(np.uint8)
    assert (upright_mask(mask, Path("a.jpg")) == mask).all()
