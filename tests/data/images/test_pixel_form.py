"""How files become pixels, by the config."""

import numpy as np
import pytest

from comp.config.schema import ImageConfig
from comp.data.images.pixel_form import PixelForm, as_span, form_of, span_of


def test_usual_images_are_plain_and_say_nothing_new() -> None:
    form = form_of(ImageConfig())
    assert form == PixelForm()
    assert form.plain
    assert form.settings == ""
    assert form_of(ImageConfig(range=[0, 4095])).settings == " 0..4095"  # as packs had it
    assert (form.dtype, form.top) == (np.uint8, 255)


@pytest.mark.parametrize(
    "over",
    [
        {"channels": 5},
        {"bits": 16},
        {"slices": "middle"},
        {"windows": "file"},
        {"channels": 6, "windows": [[1, 2], [3, 4]]},
        {"range": [[0, 1], [0, 2], [0, 3]]},
    ],
)
def test_other_pixels_have_other_settings(over: dict[str, object]) -> None:
    form = form_of(ImageConfig(**over))
    assert not form.plain
    assert form.settings not in ("", form_of(ImageConfig(size=9, channels=4)).settings)


def test_windows_share_the_planes() -> None:
    assert form_of(ImageConfig(channels=6, windows=[[1, 2], [3, 4]])).planes == 3
    assert form_of(ImageConfig(channels=6)).planes == 6
    assert form_of(ImageConfig(bits=16)).top == 65535


def test_a_measured_range_has_no_span_before_it_is_measured() -> None:
    assert span_of(ImageConfig(range="channels")) is None
    assert as_span([0, 4095]) == (0.0, 4095.0)
    assert as_span([[0, 1], [2, 3]]) == ((0.0, 1.0), (2.0, 3.0))
    assert as_span(None) is None
