"""Images that stay on the device: the same bytes, by their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from comp.core.errors import PackError
from comp.data.cache.guard import Guard
from comp.data.cache.store import Guarded
from comp.data.loader.batched import resident
from comp.data.loader.batched.resident import Resident, size_of

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 6, 6, 3), dtype=np.uint8)


def test_rows_are_the_bytes_of_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_AT_ONCE", 4)
    there = Resident(IMAGES, torch.device("cpu"))
    rows = torch.tensor([10, 3, 3, 0])
    found = there.take(rows)
    np.testing.assert_array_equal(found, IMAGES[rows])
    found[:] = 0  # what is made of a batch does not reach the images that stay
    np.testing.assert_array_equal(there.take(rows), IMAGES[rows])
    assert size_of(IMAGES) == IMAGES.nbytes


def test_a_damaged_row_is_found_before_it_is_taken() -> None:
    totals = np.zeros(11, np.uint64)
    ends = np.arange(1, 12) * IMAGES[0].nbytes
    names = [f"i{number}" for number in range(11)]
    guard = Guard(Path("images.npy"), names, ends, totals, "words")
    with pytest.raises(PackError, match="'i0' is damaged"):
        Resident(Guarded(IMAGES, guard), torch.device("cpu"))
