import pickle
from pathlib import Path

import numpy as np

from comp.data.cache.bag_store import BagImages, alike

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3)).astype(np.uint8)
ROWS = [(4, 0, 2), (1, 5), (3,), (6, 6)]


def test_a_bag_is_its_images_in_their_order() -> None:
    store = BagImages(PIXELS, ROWS)
    assert len(store) == 4
    assert store.shape == (4, 4, 4, 3)
    np.testing.assert_array_equal(store[0], PIXELS[[4, 0, 2]])
    np.testing.assert_array_equal(store.some(0, np.array([2, 0])), PIXELS[[2, 4]])
    np.testing.assert_array_equal(store.take(np.array([3, 1])), PIXELS[[[6, 6], [1, 5]]])


def test_parts_hold_bags_of_one_size_in_their_order() -> None:
    store = BagImages(PIXELS, [(0, 1), (2, 3), (4, 5), (6,), (0,), (1, 2, 3, 4, 5)])
    parts = alike(store, np.arange(6), 4)
    assert [part.tolist() for part in parts] == [[0, 1], [2], [3, 4], [5]]
    assert [part.tolist() for part in alike(store, np.array([5, 0]), 1)] == [[5], [0]]


def test_workers_map_the_file_again(tmp_path: Path) -> None:
    file = np.memmap(tmp_path / "x", np.uint8, "w+", shape=PIXELS.shape)
    file[:] = PIXELS
    store = BagImages(np.memmap(tmp_path / "x", np.uint8, "r", shape=PIXELS.shape), ROWS)
    text = pickle.dumps(store)
    assert len(text) < PIXELS.nbytes + 1500
    np.testing.assert_array_equal(pickle.loads(text)[0], store[0])
