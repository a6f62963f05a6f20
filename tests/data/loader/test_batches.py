from __future__ import annotations

import numpy as np
import torch

from comp.data.loader.batches import eval_batches

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)


def test_eval_batches_follow_the_rows() -> None:
    rows = np.array([9, 2, 2, 29, 0])
    found = list(eval_batches(IMAGES, rows, 2))
    assert [some.tolist() for some, _ in found] == [[9, 2], [2, 29], [0]]
    assert [batch.dtype for _, batch in found] == [torch.uint8] * 3
    np.testing.assert_array_equal(torch.cat([batch for _, batch in found]), IMAGES[rows])


def test_eval_batches_of_no_rows_are_none() -> None:
    assert list(eval_batches(IMAGES, np.array([], dtype=np.int64), 4)) == []


def test_images_of_their_own_size_come_one_by_one() -> None:
    class Own:
        own_size = True

        def __getitem__(self, row: int) -> np.ndarray:
            return IMAGES[row, : row + 1]

    found = list(eval_batches(Own(), np.array([2, 5]), 4))
    assert [(some.tolist(), tuple(batch.shape)) for some, batch in found] == [
        ([2], (1, 3, 8, 3)),
        ([5], (1, 6, 8, 3)),
    ]
