"""Copies between images from elsewhere and images here are found, whatever they are called."""

from pathlib import Path

import cv2
import numpy as np

from comp.data.images.pixel_form import PixelForm
from comp.data.index.index import Index
from comp.stages.extras.near_copies import near_copies


def index(folder: Path, images: dict[str, np.ndarray]) -> Index:  # type: ignore[type-arg]
    folder.mkdir()
    for name, pixels in images.items():
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix, pixels)[1].tobytes())
    names = tuple(sorted(images))
    return Index(names, tuple(folder / name for name in names), ("a", "b"))


def test_copies_of_each_set_are_found(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pictures = [
        cv2.resize(draw.integers(0, 255, (8, 8, 3), dtype=np.uint8), (96, 96)) for _ in range(6)
    ]
    train = index(tmp_path / "a", {"t0.png": pictures[0], "t1.png": pictures[1]})
    test = index(tmp_path / "b", {"s0.png": pictures[2]})
    other = index(
        tmp_path / "c",
        {
            "q0.png": pictures[0],
            "q1.png": pictures[1][:, ::-1],
            "q2.jpg": pictures[2],
            "q3.png": pictures[3],
            "q4.png": pictures[3],
        },
    )
    found = near_copies(other, [train, test], tmp_path / "cache", PixelForm(), "more")
    assert [dict(part) for part in found] == [
        {"q0.png": ["t0.png"], "q1.png": ["t1.png"]},
        {"q2.jpg": ["s0.png"]},
    ]


def test_tiny_images_at_another_size_are_similar_where_that_is_asked(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    tiny = [
        cv2.resize(draw.integers(0, 255, (6, 6, 3), dtype=np.uint8), (24, 24)) for _ in range(4)
    ]
    train = index(tmp_path / "a", {f"t{n}.png": tiny[n] for n in range(3)})
    other = index(
        tmp_path / "c",
        {
            "q0.png": cv2.resize(tiny[0], (48, 48), interpolation=cv2.INTER_CUBIC),
            "q1.png": cv2.resize(tiny[1], (18, 18), interpolation=cv2.INTER_AREA),
            "q3.png": tiny[3],
        },
    )
    (strict,) = near_copies(other, [train], tmp_path / "cache", PixelForm(), "more")
    (loose,) = near_copies(other, [train], tmp_path / "cache", PixelForm(), "more", similar=True)
    assert len(strict) < 2
    assert dict(loose) == {"q0.png": ["t0.png"], "q1.png": ["t1.png"]}
