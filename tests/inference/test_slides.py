"""Slides seen tile by tile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from comp.config.schema import ImageConfig
from comp.data.images.pixel_form import PixelForm
from comp.data.images.slides import Slide
from comp.inference import slides
from comp.inference.slides import SlideReader, pooled, stitched_rows
from comp.models.device import choose_device
from comp.models.networks import Net
from comp.tasks.kinds import TASKS

DEVICE = choose_device("fp32")


class Brightness(nn.Module):
    """(B, 2): minus and plus the mean of the first channel; or that of each pixel as maps."""

    def __init__(self, maps: bool) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        red = images[:, :1]
        seen = red if self.maps else red.mean(dim=(2, 3))
        return torch.cat([-seen, seen], dim=1)


def reader(maps: bool, **over: Any) -> SlideReader:
    net = Net(Brightness(maps), DEVICE, (0.5,) * 3, (0.25,) * 3)
    task = TASKS["segmentation" if maps else "multiclass"]
    image = ImageConfig(size=16, resize="stretch")
    made = SlideReader([net], task, 2, image, PixelForm(), 16, 0.0, 0.02, 5)
    return replace(made, **over)


def slide_of(folder: Path, pixels: np.ndarray) -> Slide:
    tifffile.imwrite(folder / "s.tif", pixels, photometric="rgb", tile=(16, 16))
    return Slide(folder / "s.tif")


def spotted() -> np.ndarray:
    """Glass with tissue in four tiles of 16: three dark ones and one that is red."""
    pixels = np.full((48, 64, 3), 240, np.uint8)
    for tile, colour in (((0, 0), 60), ((0, 1), 60), ((2, 3), 60), ((1, 2), 250)):
        top, left = 16 * tile[0], 16 * tile[1]
        pixels[top : top + 16, left : left + 16] = (colour, 40, 90)
    return pixels


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_logits_of_tiles_that_are_not_empty_are_pooled(tmp_path: Path, pool: str) -> None:
    reds = (np.array([60, 60, 60, 250]) / 255 - 0.5) / 0.25
    logits = np.stack([-reds, reds], axis=1)
    one = logits.mean(axis=0) if pool == "mean" else logits.max(axis=0)
    with slide_of(tmp_path, spotted()) as slide:
        probs, seen, total = pooled(reader(False), slide, pool)
    np.testing.assert_allclose(probs, np.exp(one) / np.exp(one).sum(), rtol=1e-5)
    assert (seen, total) == (4, 12)


def test_a_slide_without_tissue_has_no_answer(tmp_path: Path) -> None:
    with slide_of(tmp_path, np.full((48, 64, 3), 240, np.uint8)) as slide:
        probs, seen, total = pooled(reader(False), slide, "mean")
    assert np.isnan(probs).all()
    assert (len(probs), seen, total) == (2, 0, 12)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.7])
@pytest.mark.parametrize("shape", [(48, 64), (49, 71), (9, 40), (100, 16)])
def test_a_stitched_map_is_that_of_the_whole_image(
    tmp_path: Path, shape: tuple[int, int], overlap: float
) -> None:
    """A network that looks at single pixels answers the same however the tiles lie."""
    pixels = np.random.default_rng(0).integers(0, 200, (*shape, 3), dtype=np.uint8)
    pixels[..., 2] = 255 - pixels[..., 0]  # in colour: nothing of it is background
    with slide_of(tmp_path, pixels) as slide:
        bands = [*stitched_rows(reader(True, overlap=overlap), slide)]
    found = np.concatenate([band for band, _ in bands], axis=1)
    red = (pixels[..., 0] / 255 - 0.5) / 0.25
    assert found.shape == (2, *shape)
    np.testing.assert_allclose(found[1], 1 / (1 + np.exp(-2 * red)), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_parts_of_a_band_are_those_of_the_whole_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(1).integers(0, 200, (50, 64, 3), dtype=np.uint8)
    pixels[..., 2] = 255 - pixels[..., 0]
    with slide_of(tmp_path, pixels) as slide:
        whole = [*stitched_rows(reader(True, overlap=0.25), slide)]
        monkeypatch.setattr(slides, "_DIVIDED", 64 * 2 * 5)  # five rows
        parts = [*stitched_rows(reader(True, overlap=0.25), slide)]
    assert len(parts) > len(whole)
    assert max(band.shape[1] for band, _ in parts) == 5
    assert sum(seen for _, seen in parts) == sum(seen for _, seen in whole)
    both = [np.concatenate([band for band, _ in each], axis=1) for each in (parts, whole)]
    np.testing.assert_array_equal(*both)


def test_what_only_empty_tiles_cover_is_background(tmp_path: Path) -> None:
    with slide_of(tmp_path, spotted()) as slide:
        bands = [*stitched_rows(reader(True), slide)]
    found = np.concatenate([band for band, _ in bands], axis=1)
    assert [seen for _, seen in bands] == [2, 1, 1]
    assert (found[1, :16, 32:] == 0).all()
    assert (found[1, 16:32, 32:48] > 0.9).all()


def test_two_networks_are_averaged_and_16_bits_are_seen(tmp_path: Path) -> None:
    net = Net(Brightness(False), DEVICE, (0.5,) * 3, (0.25,) * 3)
    other = Net(Brightness(False), DEVICE, (0.5,) * 3, (0.5,) * 3)
    with slide_of(tmp_path, spotted()) as slide:
        each = [pooled(reader(False, nets=[one]), slide, "mean")[0] for one in (net, other)]
        both = pooled(reader(False, nets=[net, other]), slide, "mean")[0]
        deep = replace(net, top=65535)
        form, image = PixelForm(bits=16), ImageConfig(size=16, bits=16)
        wide = pooled(reader(False, nets=[deep], form=form, image=image), slide, "mean")[0]
    np.testing.assert_allclose(both, np.mean(each, axis=0), rtol=1e-6)
    np.testing.assert_allclose(wide, each[0], rtol=1e-5)
