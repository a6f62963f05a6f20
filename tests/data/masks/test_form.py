"""How regions are painted to masks, and the digest of what a mask is made from."""

from __future__ import annotations

import numpy as np
import pytest

from comp.data.masks.form import MaskForm, digest_parts, is_background

LEFT, TOP = np.zeros((2, 3), bool), np.zeros((2, 3), bool)
LEFT[:, :2] = TOP[0] = True


def test_with_one_layer_the_last_region_lies_on_top() -> None:
    mask = MaskForm(classes=2, layers=1).paint([(2, LEFT), (1, TOP)], (2, 3))
    assert mask.dtype == np.uint8
    assert mask[..., 0].tolist() == [[1, 1, 1], [2, 2, 0]]


def test_with_a_layer_per_class_both_regions_are_kept() -> None:
    mask = MaskForm(classes=2, layers=2).paint([(2, LEFT), (1, TOP), (2, TOP)], (2, 3))
    assert mask[..., 0].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert mask[..., 1].tolist() == [[1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize("layers", [1, 3])
def test_an_image_without_regions_has_an_empty_mask(layers: int) -> None:
    assert MaskForm(classes=3, layers=layers).paint([], (2, 3)).tolist() == (
        [[[0] * layers] * 3] * 2
    )


def test_a_digest_says_which_values_it_is_of_and_in_which_order() -> None:
    values = [(), ("a", "b"), ("b", "a"), ("ab",), (["a", "b"],), ("a", None), (1,), ("1",)]
    digests = [digest_parts(*parts) for parts in values]
    assert len(set(digests)) == len(values)
    assert [len(digest) for digest in digests] == [32] * len(values)
    assert digest_parts("a", 1, [2.5, None]) == digest_parts("a", 1, [2.5, None])


@pytest.mark.parametrize("name", ["background", "Background", "_background_", "BG", "배경"])
def test_the_background_has_several_names(name: str) -> None:
    assert is_background(name)
    assert not is_background(f"{name} wall")
