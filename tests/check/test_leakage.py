"""Traits of a file that give its class away."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from toys import save, scene

from comp.check.image_stats import measure_images
from comp.check.leakage import find_leaks


def black_corners(image: np.ndarray) -> np.ndarray:
    spin = cv2.getRotationMatrix2D((16, 16), 45, 1)
    return cv2.warpAffine(image, spin, (32, 32))


def with_exif(path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0110] = "Model 7"
    Image.fromarray(pixels).save(path, exif=exif)


def traits(folder: Path, paint, count: int = 10) -> dict[str, str]:
    """Trait -> how, where every image of the second class is painted in another way."""
    paths = []
    for number in range(2 * count):
        pixels, path = scene(number, 32), folder / f"{number}.png"
        if number < count:
            save(path, pixels)
        else:
            path = paint(folder / f"{number}", pixels)
        paths.append(path)
    hot = np.repeat(np.eye(2, dtype=np.int64), count, axis=0)
    found = find_leaks(measure_images(paths, folder / "cache"), tuple(paths), ("plain", "odd"), hot)
    assert {b.right for b in found} <= {1.0}
    return {b.trait: b.how for b in found if b.name == "odd"}


def test_images_that_differ_only_in_what_they_show_have_no_leak(tmp_path: Path) -> None:
    assert traits(tmp_path, lambda path, p: save(path.with_suffix(".png"), p)) == {}


@pytest.mark.parametrize(
    ("paint", "trait", "how"),
    [
        (lambda p, x: save(p.with_suffix(".jpg"), x), "file format", "mostly JPEG"),
        (lambda p, x: save(p.with_suffix(".png"), x[:, :20]), "size", "mostly 20 x 32"),
        (lambda p, x: save(p.with_suffix(".png"), x[:, :20]), "width", "at most 26"),
        (
            lambda p, x: save(p.with_suffix(".png"), x[: 12 + int(p.name) % 5]),
            "aspect",
            "above",
        ),
        (
            lambda p, x: save(p.with_suffix(".png"), black_corners(x)),
            "border",
            "mostly black corners",
        ),
    ],
    ids=["format", "size", "width", "aspect", "corners"],
)
def test_a_trait_that_gives_the_class_away_is_named(tmp_path: Path, paint, trait, how) -> None:
    assert traits(tmp_path, paint)[trait].startswith(how)


def test_a_mode_and_a_camera_give_the_class_away(tmp_path: Path) -> None:
    def grey(path: Path, pixels: np.ndarray) -> Path:
        Image.fromarray(pixels[:, :, 0]).save(path.with_suffix(".png"))
        return path.with_suffix(".png")

    def camera(path: Path, pixels: np.ndarray) -> Path:
        with_exif(path.with_suffix(".png"), pixels)
        return path.with_suffix(".png")

    assert traits(tmp_path / "a", grey)["mode"] == "mostly L"
    assert traits(tmp_path / "b", camera)["camera (EXIF)"] == "mostly Model 7"


def test_a_size_that_one_image_has_is_no_leak(tmp_path: Path) -> None:
    widths = [*range(12, 32, 2), *range(13, 33, 2)]
    paths = [save(tmp_path / f"{w}.png", scene(w, 32)[:, :w]) for w in widths]
    hot = np.repeat(np.eye(2, dtype=np.int64), 10, axis=0)
    assert find_leaks(measure_images(paths, tmp_path / "c"), tuple(paths), ("a", "b"), hot) == []


def test_few_images_are_no_evidence(tmp_path: Path) -> None:
    assert traits(tmp_path, lambda p, x: save(p.with_suffix(".jpg"), x), count=4) == {}
