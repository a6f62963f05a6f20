"""Statistics of image files, and what is kept of them."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from toys import png_header, save, scene

from comp.check import image_stats
from comp.check.image_stats import measure_images
from comp.data.index.sources import Source


def same(a: image_stats.ImageStats, b: image_stats.ImageStats) -> bool:
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
    )


def test_statistics_are_those_of_the_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Maker", "Model 1"
    Image.fromarray(scene(1)[:100]).save(tmp_path / "a.jpg", exif=exif, quality=95)
    Image.fromarray(np.full((30, 20), 51, np.uint8)).save(tmp_path / "b.png")
    found = measure_images([tmp_path / "a.jpg", tmp_path / "b.png"], tmp_path / "cache")
    assert found.problem.tolist() == ["", ""]
    assert found.size[:, :2].tolist() == [[100, 192], [20, 30]]
    assert found.size[:, 2].tolist() == [(tmp_path / n).stat().st_size for n in ("a.jpg", "b.png")]
    assert found.header.tolist() == [["JPEG", "RGB", "6", "Maker Model 1"], ["PNG", "L", "", ""]]
    assert found.mean[1].tolist() == [0.2] * 3
    assert found.std[1].tolist() == [0.0] * 3
    assert (found.thumbs[1] == 51).all()
    assert found.counts[0] > 20
    assert found.counts[1] == 0
    assert len(found.words) == len(found.points) == found.counts.sum()


def test_a_file_that_cannot_be_read_has_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    good = save(tmp_path / "good.png", scene(1, 32))
    paths = [tmp_path / "empty.png", tmp_path / "page.jpg", tmp_path / "gone.png", good]
    found = measure_images(paths, tmp_path / "cache")
    assert found.readable.tolist() == [False, False, False, True]
    assert [text[:13] for text in found.problem] == [
        "an empty file",
        "a web page or",
        "no such file",
        "",
    ]
    assert [bool(text) for text in found.digest] == [True, True, False, True]


def test_a_bomb_is_refused_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)  # decoding would be an error
    (tmp_path / "bomb.png").write_bytes(png_header(30000, 30000))
    found = measure_images([tmp_path / "bomb.png"], tmp_path / "cache")
    assert "30000 x 30000 pixels" in found.problem[0]


def test_only_changed_blocks_are_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_stats, "BLOCK", 2)
    paths = [save(tmp_path / f"{k}.png", scene(k, 32)) for k in range(5)]
    first = measure_images(paths, tmp_path / "cache")
    seen: list[str] = []
    before = image_stats._measure
    monkeypatch.setattr(
        image_stats,
        "_measure",
        lambda path, **more: seen.append(path.files[0].name) or before(path, **more),
    )
    assert same(measure_images(paths, tmp_path / "cache"), first)
    assert seen == []
    os.utime(paths[3], ns=(1, 1))
    assert same(measure_images(paths, tmp_path / "cache"), first)
    assert seen == [], "the content is the same"
    shutil.copy(paths[2], paths[3])
    os.utime(paths[3], ns=(1, 1))
    again = measure_images(paths, tmp_path / "cache")
    assert sorted(seen) == ["2.png", "3.png"]
    assert again.digest[3] == again.digest[2] == first.digest[2]


def test_other_files_of_the_same_size_and_time_are_other_images(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{k}.bmp", scene(k, 32)) for k in range(2)]
    for path in paths:
        os.utime(path, ns=(1, 1))
    first, second = (measure_images([path], tmp_path / "cache") for path in paths)
    assert first.digest[0] != second.digest[0]


def test_a_check_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_stats, "BLOCK", 2)
    paths = [save(tmp_path / f"{k}.png", scene(k, 32)) for k in range(5)]
    before, seen = image_stats._measure, list[str]()

    def dies(path: Source, **more: object) -> object:
        if path.files[0].name == "4.png":
            raise KeyboardInterrupt
        return before(path, **more)

    monkeypatch.setattr(image_stats, "_measure", dies)
    with pytest.raises(KeyboardInterrupt):
        measure_images(paths, tmp_path / "cache")
    monkeypatch.setattr(
        image_stats,
        "_measure",
        lambda path, **more: seen.append(path.files[0].name) or before(path, **more),
    )
    measure_images(paths, tmp_path / "cache")
    assert seen == ["4.png"]


def test_damaged_statistics_are_made_again(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{k}.png", scene(k, 48)) for k in range(3)]
    first = measure_images(paths, tmp_path / "cache")
    (place,) = (tmp_path / "cache").glob("*.npz")
    whole = place.read_bytes()
    for size in range(0, len(whole), len(whole) // 16):
        place.write_bytes(whole[:size])
        assert same(measure_images(paths, tmp_path / "cache"), first)
    assert place.read_bytes() == whole


def test_no_images_have_no_statistics(tmp_path: Path) -> None:
    assert len(measure_images([], tmp_path)) == 0


def test_words_are_mapped_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_stats, "BLOCK", 2)
    paths = [save(tmp_path / f"{seed}.png", scene(seed, 96 + seed)) for seed in range(5)]
    cache = tmp_path / "cache"
    found = measure_images(paths, cache)
    assert isinstance(found.words, np.memmap)
    assert [path.suffix for path in cache.iterdir()] == [".npz"] * 3
    each = [measure_images([path], cache) for path in paths]
    assert found.counts.tolist() == [len(one.words) for one in each]
    assert found.size[:, 0].tolist() == [96, 97, 98, 99, 100]
    np.testing.assert_array_equal(found.words, np.concatenate([one.words for one in each]))
