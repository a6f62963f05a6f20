import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from toys import save

from comp.core.errors import DataError
from comp.data.masks.file_source import FileSource
from comp.data.masks.form import MaskForm
from comp.tasks.counts import IGNORED

ONE, LAYERS = MaskForm(2, 1), MaskForm(2, 2)


@pytest.fixture
def photo(workspace: Path) -> Path:
    return save(workspace / "a.png", np.zeros((6, 8, 3), np.uint8))


def laid(pixels: Any, name: str = "m.png") -> Path:
    path = Path(name)
    path.write_bytes(cv2.imencode(".png", np.asarray(pixels))[1].tobytes())
    return path


def test_numbers_of_a_file_become_classes_and_what_is_not_judged(photo: Path) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[0], mask[1], mask[2] = 7, 9, 200
    path, table = laid(mask), ((7, 1), (9, 2), (200, IGNORED))
    one = FileSource(photo, ((0, path),), ONE, table).read()
    assert one[:, 0, 0].tolist() == [1, 2, IGNORED, 0, 0, 0]
    both = FileSource(photo, ((0, path),), LAYERS, table).read()
    assert both[:, 0].tolist() == [[1, 0], [0, 1], [IGNORED] * 2, [0, 0], [0, 0], [0, 0]]


def test_a_file_a_class_is_cut_in_the_middle_of_grey(photo: Path) -> None:
    source = FileSource(photo, ((2, laid(np.full((6, 8), 127, np.uint8))),), ONE)
    assert not source.read().any()
    source = FileSource(photo, ((2, laid(np.full((6, 8), 128, np.uint8))),), ONE)
    assert (source.read() == 2).all()
    assert source.objects().tolist() == [0, 1]


def test_an_image_without_a_file_has_an_empty_mask(photo: Path) -> None:
    assert FileSource(photo, (), LAYERS).read().tolist() == np.zeros((6, 8, 2)).tolist()


def test_colours_become_classes_by_their_names_and_others_are_refused(photo: Path) -> None:
    mask = np.zeros((6, 8, 3), np.uint8)
    mask[0], mask[1] = (0, 0, 255), (0, 250, 0)  # red and nearly green, in the order of OpenCV
    path, colours = laid(mask), (((255, 0, 0), 2), ((0, 255, 0), 1), ((0, 0, 0), 0))
    source = FileSource(photo, ((0, path),), ONE, colours=colours, tolerance=5)
    assert source.read()[:, 0, 0].tolist() == [2, 1, 0, 0, 0, 0]
    strict = dataclasses.replace(source, tolerance=4)
    with pytest.raises(DataError, match=r"m\.png: holds colours .*#00fa00 \(8 pixels\)"):
        strict.read()
    assert source.digest() != strict.digest()


def test_what_a_file_means_is_part_of_its_digest(photo: Path) -> None:
    source = FileSource(photo, ((0, laid(np.ones((6, 8), np.uint8))),), ONE, ((1, 1),), "abc")
    other = dataclasses.replace(source, values=((1, 2),))
    assert source.digest() != other.digest()
    assert source.digest() != dataclasses.replace(source, content="abd").digest()
