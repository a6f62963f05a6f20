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
    used = "image.range is [0, 4095], for every image of both sets; kept as 8 bits (image.bits)"
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


def test_channels_outside_of_the_range_or_hardly_in_it_are_named(tmp_path: Path) -> None:
    def index(name: str, high: int) -> Index:
        (tmp_path / name).mkdir()
        planes = np.linspace(0, 1, 80).reshape(8, 10, 1) * [4000, 300, 4000, high]
        np.save(tmp_path / name / "a.npy", planes.astype(np.uint16))
        return Index(("a",), (tmp_path / name / "a.npy",), ())

    image = ImageConfig(size=8, channels=4, bits=16, range=[0, 4095])
    found = depth_findings(index("train", 4000), index("test", 9000), image, tmp_path / "cache")
    texts = [finding.text for finding in found if finding.level == "warning"]
    assert "channels 1 use little of image.range; image.range: channels" in texts[0]
    assert texts[1].endswith("those outside of image.range become black or white (channels 3)")


def test_windows_are_told_in_the_place_of_a_range(tmp_path: Path) -> None:
    train, none = laid(tmp_path / "a.png", 0, 4000), Index((), (), ())
    image = ImageConfig(size=8, windows=[[40, 80], [80, 200], [600, 2800]])
    (found,) = depth_findings(train, none, image, tmp_path / "cache")
    assert "image.windows: [40, 80], [80, 200], [600, 2800]; what lies outside" in found.text
