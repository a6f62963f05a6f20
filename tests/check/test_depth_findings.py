"""How deep images are scaled is told."""

from pathlib import Path

import cv2
import numpy as np

from comp.check.depth_findings import depth_findings
from comp.config.schema import ImageConfig
from comp.data.cache.image_range import with_range
from comp.data.index.index import Index


def laid(path: Path, low: int, high: int) -> Index:
    pixels = np.linspace(low, high, 64).astype(np.uint16).reshape(8, 8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return Index((path.name,), (path,), ())


def test_the_range_and_what_lies_outside_are_told(tmp_path: Path) -> None:
    train = laid(tmp_path / "a.png", 0, 4000)
    image = with_range(ImageConfig(size=8), train, tmp_path / "cache")
    test = laid(tmp_path / "t.png", 0, 9000)
    found = [(f.level, f.text) for f in depth_findings(train, test, image, tmp_path / "cache")]
    used = "image.range is [0, 4095], for every image of both sets"
    assert found == [
        ("note", f"1 training images have more than 8 bits, values 0 to 4000: {used}"),
        ("note", f"1 test images have more than 8 bits, values 0 to 9000: {used}"),
        (
            "warning",
            "1 test images have more than 8 bits, values 0 to 9000: those outside of image.range "
            "become black or white",
        ),
    ]


def test_a_narrow_part_of_the_range_is_a_warning(tmp_path: Path) -> None:
    train, none = laid(tmp_path / "a.png", 30000, 33000), Index((), (), ())
    image = with_range(ImageConfig(size=8), train, tmp_path / "cache")
    levels = {f.level: f.text for f in depth_findings(train, none, image, tmp_path / "cache")}
    assert "[30000, 33000] would use all" in levels["warning"]
