"""What is cut out of an image before it is resized."""

import numpy as np
import pytest

from comp.config.schema import ImageConfig
from comp.data.images.crops import CROPS, WHOLE, component_box, cut, fitted


def picture(colour: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    """(40, 60, 3): two squares on a plain ground, the larger one in rows 10 to 25 and columns 20 to
    40, and a lone pixel of noise."""
    out = np.full((40, 60, 3), colour, np.uint8)
    out[10:25, 20:40] = 255 - colour
    out[30:36, 50:58] = 255 - colour
    out[38, 2] = 255 - colour
    return out


@pytest.mark.parametrize("colour", [0, 255])
def test_a_border_of_one_colour_is_found_and_noise_is_none(colour: int) -> None:
    assert CROPS["border"](picture(colour)) == pytest.approx((20 / 60, 10 / 40, 58 / 60, 36 / 40))
    assert CROPS["border"](np.full((9, 9, 3), colour, np.uint8)) == WHOLE


@pytest.mark.parametrize("colour", [0, 255])
def test_the_largest_thing_is_found(colour: int) -> None:
    assert CROPS["object"](picture(colour)) == pytest.approx((20 / 60, 10 / 40, 40 / 60, 25 / 40))
    assert CROPS["object"](np.full((9, 9, 3), colour, np.uint8)) == WHOLE
    assert component_box(np.zeros((4, 4), bool)) is None


def test_a_margin_is_kept_and_the_image_ends_it() -> None:
    image = picture()
    exact = cut(image, ImageConfig(crop="object", crop_margin=0))
    assert exact.shape == (15, 20, 3)
    assert (exact == 255).all()
    assert cut(image, ImageConfig(crop="object", crop_margin=0.2)).shape == (21, 28, 3)
    assert cut(image, ImageConfig(crop="object", crop_margin=2.0)).shape == (40, 60, 3)
    least = ImageConfig(crop="object", crop_margin=0, crop_least=0.8)
    assert cut(image, least).shape[:2] == (33, 48)


def test_a_box_goes_before_the_rule_and_is_never_a_speck() -> None:
    image, config = picture(), ImageConfig(crop="object", crop_margin=0)
    assert cut(image, config, (0.0, 0.5, 0.5, 1.0)).shape == (20, 30, 3)
    assert cut(image, config, (0.5, 0.5, 0.501, 0.501)).shape == (4, 6, 3)
    assert cut(image, config, (0.999, 0.999, 1.0, 1.0)).size > 0
    assert cut(image, ImageConfig(), None) is image


def test_what_is_cut_is_resized() -> None:
    found = fitted(picture(), ImageConfig(size=16, crop="object", crop_margin=0))
    assert found.shape == (16, 16, 3)
    assert (found == 255).all()
