"""Pictures of each channel."""

from functools import partial
from pathlib import Path

import numpy as np
from stack_toys import npy

from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import read_pixels
from comp.data.index.index import Index
from comp.report.channel_pictures import channel_names, channel_pictures


def test_a_channel_is_called_by_what_made_it() -> None:
    assert channel_names(PixelForm(2), ()) == ["channel 0", "channel 1"]
    assert channel_names(PixelForm(2), ["{id}_r", "{id}_g"]) == ["{id}_r", "{id}_g"]
    assert channel_names(PixelForm(4), ["r", "g"])[2:] == ["g, plane 0", "g, plane 1"]
    one = PixelForm(2, 8, None, ((40.0, 80.0), (600.0, 2800.0)))
    assert channel_names(one, ()) == ["window 40, 80", "window 600, 2800"]
    two = PixelForm(4, 8, None, one.windows)
    assert channel_names(two, ())[1] == "channel 1, window 40, 80"


def test_each_channel_of_some_images_is_shown_with_its_ends(tmp_path: Path) -> None:
    paths = []
    for number in range(9):
        pixels = np.zeros((9, 11, 5), np.uint8)
        pixels[..., 4] = 51 * (number % 5)
        paths.append(tmp_path / f"{number}.npy")
        paths[-1].write_bytes(npy(pixels))
    paths[0].write_bytes(b"torn")
    index = Index(tuple("abcdefghi"), tuple(paths), ())
    form = PixelForm(5)
    found = channel_pictures(index, form, (), partial(read_pixels, form=form))
    assert [image["id"] for image in found] == ["c", "f", "i"]
    assert [p["caption"] for p in found[0]["pictures"]][-1] == "channel 4: 0.40 to 0.40"
    assert all(p["src"].startswith("data:image/jpeg") for p in found[0]["pictures"])


def test_usual_pictures_are_not_taken_apart() -> None:
    assert channel_pictures(Index((), (), ()), PixelForm(5), (), lambda source: None) == []  # type: ignore[arg-type, return-value]
    index = Index(("a",), (Path("a.png"),), ())
    assert channel_pictures(index, PixelForm(), (), read_pixels) == []
