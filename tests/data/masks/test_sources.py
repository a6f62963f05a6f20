import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from toys import save

from comp.core.errors import DataError
from comp.data.images.decode import fit, fit_mask, image_size, read_image, upright_mask
from comp.data.masks.sources import (
    CocoSource,
    FileSource,
    Form,
    RunsSource,
    Shape,
    bright,
    read_grey,
    region_of,
)
from comp.tasks.counts import IGNORED

ONE, LAYERS = Form(2, 1), Form(2, 2)
LEFT = [0.0, 0.0, 4.0, 0.0, 4.0, 6.0, 0.0, 6.0]  # x, y: the four columns on the left
TOP = [0.0, 0.0, 8.0, 0.0, 8.0, 2.0, 0.0, 2.0]
BOX = np.zeros((6, 8), bool)
BOX[1:5, 2:6] = True


@pytest.fixture
def photo(workspace: Path) -> Path:
    return save(workspace / "a.png", np.zeros((6, 8, 3), np.uint8))


def runs_of(mask: np.ndarray) -> list[int]:
    """COCO's run lengths: down the columns, first of zeros."""
    flat = np.concatenate([[0], mask.ravel(order="F").astype(int)])
    edges = np.flatnonzero(np.diff(flat)) if flat.any() else np.array([], int)
    return np.diff([0, *edges, mask.size]).tolist()


def test_crowd_run_lengths_are_read_packed_and_not() -> None:
    from pycocotools import mask as coco

    plain = {"size": [6, 8], "counts": runs_of(BOX)}
    assert (region_of(plain, (6, 8)) == BOX).all()
    assert (region_of(coco.frPyObjects(plain, 6, 8), (6, 8)) == BOX).all()


def test_a_hole_in_run_lengths_stays_a_hole() -> None:
    ring = BOX.copy()
    ring[2:4, 3:5] = False
    found = region_of({"size": [6, 8], "counts": runs_of(ring)}, (6, 8))
    assert (found == ring).all()


def test_several_polygons_are_one_object() -> None:
    right = [6.0, 0.0, 8.0, 0.0, 8.0, 6.0, 6.0, 6.0]
    found = region_of([LEFT, right], (6, 8))
    assert found.all(axis=0).tolist() == [True] * 4 + [False] * 2 + [True] * 2


def test_polygons_of_two_points_cover_nothing() -> None:
    assert not region_of([[0, 0, 5, 5]], (6, 8)).any()
    assert not region_of([], (6, 8)).any()


def test_the_last_shape_lies_on_top_and_layers_keep_both(photo: Path) -> None:
    shapes = (Shape(2, [LEFT], 24), Shape(1, [TOP], 16))
    one = CocoSource(photo, (6, 8), shapes, ONE).read()
    assert one[..., 0].tolist() == [[1] * 8] * 2 + [[2] * 4 + [0] * 4] * 4
    both = CocoSource(photo, (6, 8), shapes, LAYERS).read()
    assert both.shape == (6, 8, 2)
    assert both.sum(axis=(0, 1)).tolist() == [16, 24]
    assert CocoSource(photo, (6, 8), shapes, ONE).objects().tolist() == [1, 1]


def test_the_digest_changes_with_the_mask_its_order_and_its_form(photo: Path) -> None:
    a, b = Shape(2, [LEFT], 24), Shape(1, [TOP], 16)
    marks = [
        CocoSource(photo, (6, 8), shapes, form).digest()
        for shapes, form in (((a, b), ONE), ((b, a), ONE), ((a, b), LAYERS), ((a,), ONE))
    ]
    assert len(set(marks)) == 4
    assert CocoSource(photo, (6, 8), (a, b), ONE).digest() == marks[0]
    rows = [RunsSource(photo, ((1, "1 2"),), ONE, order).digest() for order in ("columns", "rows")]
    assert rows[0] != rows[1]


def test_an_annotation_of_another_size_is_refused(photo: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: the mask is 7 x 6 pixels, the image 8 x 6"):
        CocoSource(photo, (6, 7), (), ONE).read()


def test_run_lengths_are_painted_at_the_size_of_the_image(photo: Path) -> None:
    source = RunsSource(photo, ((1, "1 12"), (2, "7 6")), ONE)
    assert source.read()[0, :, 0].tolist() == [1, 2, 0, 0, 0, 0, 0, 0]
    assert source.objects().tolist() == [1, 1]
    rows = RunsSource(photo, ((2, "1 8"),), LAYERS, "rows").read()
    assert rows[..., 1].tolist() == [[1] * 8] + [[0] * 8] * 5


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


def test_ones_may_mean_marked() -> None:
    assert bright(np.array([[0, 1]], np.uint8)).tolist() == [[False, True]]
    assert bright(np.array([[0, 1, 254]], np.uint8)).tolist() == [[False, False, True]]


def test_an_image_without_a_file_has_an_empty_mask(photo: Path) -> None:
    assert FileSource(photo, (), LAYERS).read().tolist() == np.zeros((6, 8, 2)).tolist()


def test_the_numbers_of_a_palette_are_its_indices(workspace: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), mode="P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save("p.png")
    assert read_grey(Path("p.png")).tolist() == [[0, 1], [2, 1]]


def test_sixteen_bits_may_hold_small_numbers_only(workspace: Path) -> None:
    assert read_grey(laid(np.array([[0, 3]], np.uint16))).tolist() == [[0, 3]]
    with pytest.raises(DataError, match=r"m\.png: holds 300; the numbers of a mask are 0 to 255"):
        read_grey(laid(np.array([[0, 300]], np.uint16)))


def test_a_torn_mask_is_told_by_its_name(workspace: Path) -> None:
    path = laid(np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"m\.png: cannot be decoded"):
        read_grey(path)


def test_what_a_file_means_is_part_of_its_digest(photo: Path) -> None:
    source = FileSource(photo, ((0, laid(np.ones((6, 8), np.uint8))),), ONE, ((1, 1),), "abc")
    other = dataclasses.replace(source, values=((1, 2),))
    assert source.digest() != other.digest()
    assert source.digest() != dataclasses.replace(source, content="abd").digest()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_exif_turns_its_image(workspace: Path, orientation: int) -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save("a.png", exif=exif)
    mask = upright_mask(pixels[..., :1] // 255, Path("a.png"))
    image = read_image(Path("a.png"))
    assert image_size(Path("a.png")) == image.shape[:2]
    assert (mask[..., 0] == image[..., 0] // 255).all()


def test_a_mask_that_is_upright_already_is_left(workspace: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save("a.jpg", exif=exif)
    mask = np.arange(24 * 16, dtype=np.uint16).reshape(24, 16, 1).astype(np.uint8)
    assert (upright_mask(mask, Path("a.jpg")) == mask).all()


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize(("height", "width"), [(48, 96), (96, 48), (31, 67)])
def test_a_mask_is_fitted_as_its_image(resize: str, height: int, width: int) -> None:
    mask = np.zeros((height, width, 2), np.uint8)
    mask[height // 4 : height // 2, width // 3 : 2 * width // 3] = 1
    mask[: height // 8, :, 1] = IGNORED
    image = np.repeat(255 * (mask[..., :1] == 1), 3, axis=2).astype(np.uint8)
    seen = fit(image, 32, resize)[..., 0] > 127
    moved = fit_mask(mask, 32, resize)
    assert moved.shape == (32, 32, 2)
    assert set(np.unique(moved)) <= {0, 1, IGNORED}
    edges = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    assert ((moved[..., 0] == 1) == seen)[~edges].all()
    assert seen.any()
