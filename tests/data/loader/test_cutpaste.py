"""CutPaste: what is pasted where, and what becomes of the label."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from comp.config.schema import ImageConfig
from comp.core.errors import ConfigError
from comp.data.loader.cutpaste import CutPaste, make_cutpaste
from comp.data.loader.loader import train_loader
from comp.data.loader.recipes import make_recipe

SIZE, COUNT = 32, 12
TARGET = np.array([1, 1, 1, *[0] * 9])
ROWS = np.array([0, 1, 3, 4, 5, 6])  # row 2, a defect, and 7 to 11 are of the validation part


def scene(tmp_path: Path) -> tuple[np.ndarray, list[Path | None]]:
    """Grey images of 100; the defect of row n is a spot of 200 + 10 n, 6 wide and 4 high."""
    images = np.full((COUNT, SIZE, SIZE, 3), 100, dtype=np.uint8)
    masks: list[Path | None] = [None] * COUNT
    for row in range(3):
        mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
        mask[10:14, 8:14] = 250
        images[row][mask > 0] = 200 + 10 * row
        masks[row] = tmp_path / f"{row}.png"
        masks[row].write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    return images, masks


def make(
    tmp_path: Path, rows: np.ndarray = ROWS, target: np.ndarray = TARGET, **over: Any
) -> CutPaste:
    images, masks = scene(tmp_path)
    given = {"masks": masks, "probability": 1.0, **over}
    image = ImageConfig(size=SIZE)
    return make_cutpaste(images, target, rows, given["masks"], image, given["probability"])


def test_a_normal_image_gets_a_defect_and_its_label(tmp_path: Path) -> None:
    paste = make(tmp_path)
    before = np.full((SIZE, SIZE, 3), 100, dtype=np.uint8)
    seen = set()
    for seed in range(40):
        image, label = paste(before, TARGET[3], 3, seed)
        assert label == 1
        changed = (image != 100).any(axis=2)
        assert 8 <= changed.sum() <= 100
        assert image.max() > 150
        seen.add(image.tobytes())
    assert len(seen) == 40
    assert (before == 100).all()


def test_defects_come_from_the_training_part_only(tmp_path: Path) -> None:
    paste = make(tmp_path)
    assert [int(defect.pixels.max()) for defect in paste.defects] == [200, 210]
    assert np.flatnonzero(paste.clean).tolist() == [3, 4, 5, 6]


def test_an_image_with_a_defect_and_one_that_is_not_drawn_stay_as_they_are(tmp_path: Path) -> None:
    images, _ = scene(tmp_path)
    image, label = make(tmp_path)(images[0], TARGET[0], 0, 5)
    np.testing.assert_array_equal(image, images[0])
    assert label == 1
    rarely = make(tmp_path, probability=0.25)
    changed = [rarely(images[3], TARGET[3], 3, seed)[1] for seed in range(400)]
    assert 60 < sum(changed) < 140


def test_brightness_follows_the_place(tmp_path: Path) -> None:
    dark = np.full((SIZE, SIZE, 3), 40, dtype=np.uint8)
    image, _ = make(tmp_path)(dark, TARGET[3], 3, 1)
    assert 120 < image.max() <= 150  # 100 or 110 above what is around it, as in its own image


def test_of_several_labels_the_defects_are_added(tmp_path: Path) -> None:
    target = np.stack([TARGET, np.zeros(COUNT, dtype=np.int64)], axis=1)
    target[4:, 1] = 1
    paste = make(tmp_path, target=target)
    assert np.flatnonzero(paste.clean).tolist() == [3, 4, 5, 6]
    _, label = paste(np.full((SIZE, SIZE, 3), 100, dtype=np.uint8), target[4], 4, 0)
    assert label.tolist() == [1, 1]
    assert target[4].tolist() == [0, 1]


def test_without_masks_or_without_clean_images_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"augment\.cutpaste: needs .* here 0 defects and 6 such"):
        make(tmp_path, masks=None)
    with pytest.raises(ConfigError, match="here 2 defects and 0 such images"):
        make(tmp_path, target=np.ones(COUNT, dtype=np.int64))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_pastes_by_epoch_and_position(tmp_path: Path, workers: int) -> None:
    images, _ = scene(tmp_path)
    options: dict[str, Any] = {"seed": 1, "fold": 0, "batch_size": 3, "paste": make(tmp_path)}
    recipe = make_recipe("none", SIZE)
    loader = train_loader(images, ROWS, TARGET, recipe, workers=workers, **options)
    epochs = [list(loader.epoch(number)) for number in (0, 0, 1)]
    labels = [label for _, target in epochs[0] for label in target.tolist()]
    assert labels == [1] * 6
    first, again, other = ([i.numpy().tobytes() for i, _ in epoch] for epoch in epochs)
    assert first == again != other
    assert TARGET.tolist() == [1, 1, 1, *[0] * 9]


@pytest.mark.parametrize("box", [np.s_[:, 4:9], np.s_[20:30, :], np.s_[:0, :0]])
def test_a_defect_without_an_outline_is_not_pasted(tmp_path: Path, box: Any) -> None:
    images, masks = scene(tmp_path)
    mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
    mask[box] = 255
    (tmp_path / "0.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    paste = make_cutpaste(images, TARGET, ROWS, masks, ImageConfig(size=SIZE), 1.0)
    assert [int(defect.pixels.max()) for defect in paste.defects] == [210]
