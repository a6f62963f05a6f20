import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.data.images.geometry import to_whole_image
from comp.data.images.resize import fit


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize(("height", "width"), [(40, 80), (80, 40), (60, 60)])
def test_maps_cover_the_whole_image_again(resize: str, height: int, width: int) -> None:
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([255 * rows / height, 255 * columns / width, 0 * rows], axis=2)
    seen = fit(image.astype(np.uint8), 64, resize)
    maps = to_whole_image(
        np.moveaxis(seen, 2, 0).astype(np.float32), height, width, resize, 32, background=False
    )
    ramp = (np.arange(32) + 0.5) * 255 / 32
    assert maps.shape == (3, 32, 32)
    assert np.abs(maps[0] - ramp[:, None]).max() < 12
    assert np.abs(maps[1] - ramp[None]).max() < 12


def test_what_a_crop_cut_away_is_background() -> None:
    probs = np.zeros((2, 8, 8), np.float32)
    probs[1] = 1
    maps = to_whole_image(probs, 40, 80, "crop", 16, background=True)
    assert maps[1].tolist() == [[0.0] * 4 + [1.0] * 8 + [0.0] * 4] * 16
    assert (maps.sum(axis=0) == 1).all()


def test_layers_that_a_crop_cut_away_are_not_there() -> None:
    for layers, value in ((2, 0.25), (1, 1.0)):
        probs = np.full((layers, 8, 8), value, np.float32)
        maps = to_whole_image(probs, 80, 40, "crop", 16, background=False)
        assert maps[:, :4].max() == 0
        assert (maps[:, 4:12] == value).all()


def test_an_unknown_way_to_resize_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"image\.resize: 'fold' cannot be undone on masks"):
        to_whole_image(np.zeros((1, 4, 4)), 4, 4, "fold", 4, background=False)
