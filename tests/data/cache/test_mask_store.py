"""Masks of an index, packed at the size of the images or read from their sources each time."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from toys import save

from comp.data.cache.mask_store import PackedMasks, UnpackedMasks
from comp.data.index.masks import Masks
from comp.data.masks.form import MaskForm
from comp.data.masks.sources import RunsSource

MASKS = np.arange(3 * 2 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2, 2)


def test_packed_masks_give_the_mask_of_a_row_as_a_plain_array(tmp_path: Path) -> None:
    np.save(tmp_path / "masks.npy", MASKS)
    masks = PackedMasks(np.load(tmp_path / "masks.npy", mmap_mode="r"))
    assert masks.layers == 2
    assert [masks[row].tolist() for row in range(3)] == MASKS.tolist()
    assert type(masks[np.int64(1)]) is np.ndarray


def test_packed_masks_are_pickled_by_their_place_on_the_disk(tmp_path: Path) -> None:
    large = np.zeros((50, 16, 16, 1), np.uint8)
    large[7] = 3
    np.save(tmp_path / "masks.npy", large)
    content = pickle.dumps(PackedMasks(np.load(tmp_path / "masks.npy", mmap_mode="r")))
    assert len(content) < 1000
    again = pickle.loads(content)
    assert isinstance(again.masks, np.memmap)
    assert (again.layers, again[7].tolist()) == (1, large[7].tolist())


def test_packed_masks_in_memory_are_pickled_whole() -> None:
    assert pickle.loads(pickle.dumps(PackedMasks(MASKS)))[2].tolist() == MASKS[2].tolist()


def test_unpacked_masks_have_the_size_of_their_images(tmp_path: Path) -> None:
    form = MaskForm(classes=2, layers=1)
    sizes = [(2, 3), (4, 1)]
    sources = tuple(
        RunsSource(save(tmp_path / f"{n}.png", np.zeros((*size, 3), np.uint8)), ((n + 1, "1 2"),),
                   form)
        for n, size in enumerate(sizes)
    )  # fmt: skip
    masks = UnpackedMasks(Masks(sources, form.layers))
    assert masks.layers == 1
    assert masks[0][..., 0].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert masks[np.int64(1)][..., 0].tolist() == [[2], [2], [0], [0]]
