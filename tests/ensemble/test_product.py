"""A joint class from separate models of its attributes."""

from __future__ import annotations

import numpy as np
import pytest

from comp.core.errors import ConfigError
from comp.ensemble.product import check_attributes, product
from comp.inference.predictions import Predictions

JOINT = ("mask|old", "mask|young", "none|young")


def attribute(classes: tuple[str, ...], probs: list[list[float]], link: str) -> Predictions:
    return Predictions(("a", "b"), np.array(probs, dtype=np.float32), classes, link)


def test_the_joint_class_has_the_product_over_the_classes_that_exist() -> None:
    mask = attribute(("mask", "none"), [[0.2], [0.9]], "sigmoid")  # of the second value
    age = attribute(("old", "young"), [[0.5, 0.5], [1.0, 0.0]], "softmax")
    joint = product([mask, age], JOINT, {"plan": "p"})
    assert (joint.ids, joint.classes, joint.link) == (("a", "b"), JOINT, "softmax")
    assert joint.probs[0].tolist() == pytest.approx([0.4 / 0.9, 0.4 / 0.9, 0.1 / 0.9])
    assert joint.probs[1].tolist() == pytest.approx([1, 0, 0])


def test_an_image_that_fits_no_class_gets_all_of_them() -> None:
    mask = attribute(("mask", "none"), [[1.0], [1.0]], "sigmoid")
    age = attribute(("old", "young"), [[1.0, 0.0], [0.0, 1.0]], "softmax")
    assert product([mask, age], JOINT, {}).probs[0].tolist() == pytest.approx([1 / 3] * 3)


def test_attributes_that_do_not_make_the_classes_are_refused() -> None:
    check_attributes(JOINT, [("mask", "none"), ("old", "young")])
    with pytest.raises(
        ConfigError, match=r"attribute 1 .* 'mask', 'none', but run 1 predicts 'old'"
    ):
        check_attributes(JOINT, [("old", "young"), ("mask", "none")])
    with pytest.raises(ConfigError, match=r"'mask.old' is not joined from 3 attributes"):
        check_attributes(JOINT, [("mask",), ("old",), ("x",)])
