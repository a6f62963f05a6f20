"""Findings about files of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from toys import save, scene

from comp.check.file_findings import image_findings
from comp.check.image_stats import measure_images
from comp.data.index.index import Index


def test_odd_files_are_notes_with_their_ids(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    made = {
        "deep.png": lambda p: Image.fromarray(np.full((20, 20), 9999, np.uint16)).save(p),
        "jpeg.png": lambda p: Image.fromarray(scene(1, 32)).save(p, format="JPEG"),
        "long.png": lambda p: save(p, scene(2, 400)[:20]),
        "plain.png": lambda p: save(p, scene(3, 32)),
        "see.png": lambda p: Image.fromarray(scene(3, 32)).convert("RGBA").save(p),
        "small.png": lambda p: save(p, scene(4, 8)),
        "turned.jpg": lambda p: Image.fromarray(scene(5, 32)).save(p, exif=exif),
    }
    paths = tuple(tmp_path / name for name in made)
    for name, paint in made.items():
        paint(tmp_path / name)
    stats = measure_images(paths, tmp_path / "c")
    found = image_findings("test", Index(tuple(made), paths, ()), stats)
    assert [(f.level, f.text.split(": ")[0], f.ids) for f in found] == [
        ("note", "1 test images are smaller than 16 pixels", ("small.png",)),
        ("note", "1 test images are very long and narrow", ("long.png",)),
        ("note", "1 test images have transparency (filled with white)", ("see.png",)),
        ("note", "1 test images are rotated by their EXIF orientation", ("turned.jpg",)),
        ("note", "1 test images have a suffix of another format", ("jpeg.png",)),
    ]
