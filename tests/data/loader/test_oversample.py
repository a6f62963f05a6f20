"""Copies of rare classes: in the training rows of their own fold, and nowhere else."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from comp.config.schema import CopiesConfig
from comp.core.errors import ConfigError
from comp.data.cache.store import gather
from comp.data.loader.oversample import Copied, turn, with_copies

IMAGES = np.random.default_rng(0).integers(1, 256, (12, 8, 8, 3), dtype=np.uint8)
TARGET = np.array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1])
ROWS = np.array([0, 1, 2, 3, 4, 5, 6, 7])  # 8 to 11 are validated on


def made(target=TARGET, **settings):
    copies = CopiesConfig(**{"classes": "defect", **settings})
    return with_copies(IMAGES, target, ROWS, copies, ("normal", "defect"), seed=42, fold=0)


def test_copies_are_of_the_training_rows_of_the_class_only():
    images, target, rows = made(turns=4, flips=3)
    assert rows.tolist() == [*range(8), *range(12, 12 + 2 * 11)]
    assert {*images.source.tolist()} == {0, 5}
    assert target[rows[8:]].tolist() == [1] * 22
    variants = {*zip(images.source, images.angle, images.flip, strict=True)}
    assert len(variants) == 22
    assert (0, 0.0, 0) not in variants
    np.testing.assert_array_equal(gather(images, np.arange(12)), IMAGES)


def test_the_ratio_limits_the_copies_and_spreads_them_over_the_images():
    images, _, rows = made(ratio=1.5)  # 6 normals: 9 defects, 2 of them originals
    assert len(rows) == 8 + 7
    assert np.bincount(images.source, minlength=6)[[0, 5]].tolist() == [4, 3]
    again, _, _ = made(ratio=1.5)
    assert again.angle.tolist() == images.angle.tolist()


def test_a_ratio_that_is_reached_already_changes_nothing():
    images, target, rows = made(ratio=0.1)
    assert images is IMAGES
    assert target is TARGET
    assert rows is ROWS


def test_without_the_setting_nothing_is_copied():
    images, _, rows = with_copies(IMAGES, TARGET, ROWS, None, ("a", "b"), seed=1, fold=0)
    assert (images is IMAGES, rows is ROWS) == (True, True)


def test_quarter_turns_are_exact_and_nothing_is_filled_with_black():
    image = IMAGES[0]
    np.testing.assert_array_equal(turn(image, 90, 0), np.rot90(image))
    np.testing.assert_array_equal(turn(image, 0, 1), image[:, ::-1])
    np.testing.assert_array_equal(turn(image, 180, 2), image[:, ::-1])
    bright = np.full((9, 9, 3), 200, dtype=np.uint8)
    assert {*np.unique(turn(bright, 40, 0)).tolist()} == {200}


def test_labels_beside_others_are_found():
    target = np.array([[0, 1], [1, 0], [1, 1], *[[0, 0]] * 9])
    images, _, _ = made(target=target, turns=2, flips=1)
    assert images.source.tolist() == [0, 2]


def test_copies_of_a_map_are_pickled_without_their_pixels(tmp_path: Path):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    copied = Copied(mapped, np.array([3]), np.array([90.0]), np.array([0]))
    back = pickle.loads(pickle.dumps(copied))
    assert len(pickle.dumps(copied)) < 2000
    np.testing.assert_array_equal(gather(back, np.array([12, 1])), gather(copied, [12, 1]))
    np.testing.assert_array_equal(back[12], np.rot90(IMAGES[3]))


def test_an_unknown_class_names_the_nearest():
    with pytest.raises(ConfigError, match=r"augment\.copies\.classes: 'defct'.*Did you mean 'def"):
        with_copies(
            *(IMAGES, TARGET, ROWS, CopiesConfig(classes="defct"), ("normal", "defect")),
            seed=1,
            fold=0,
        )
