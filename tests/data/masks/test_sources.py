from pathlib import Path

import numpy as np
import pytest
from toys import save

from comp.core.errors import DataError
from comp.data.masks.form import MaskForm
from comp.data.masks.sources import CocoSource, RunsSource, Shape

ONE, LAYERS = MaskForm(2, 1), MaskForm(2, 2)
LEFT = [0.0, 0.0, 4.0, 0.0, 4.0, 6.0, 0.0, 6.0]  # x, y: the four columns on the left
TOP = [0.0, 0.0, 8.0, 0.0, 8.0, 2.0, 0.0, 2.0]


@pytest.fixture
def photo(workspace: Path) -> Path:
    return save(workspace / "a.png", np.zeros((6, 8, 3), np.uint8))


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
