"""Memory that is given again when nobody holds it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from comp.data.loader.shelf import Shelf


def test_memory_comes_again_when_nothing_is_made_of_it_any_more() -> None:
    shelf = Shelf()
    tensor = shelf.take((2, 3))
    assert tensor is not None
    place, view = tensor.data_ptr(), tensor[1:]
    del tensor
    other = shelf.take((2, 3))
    assert other is not None
    assert other.data_ptr() != place  # a view of a tensor holds it
    del view
    again = shelf.take((2, 3))
    assert again is not None
    assert again.data_ptr() == place


def test_what_is_held_keeps_its_bytes() -> None:
    shelf, held = Shelf(), []
    for number in range(9):
        tensor = shelf.take((4, 5))
        assert tensor is not None
        tensor[:] = number
        held.append(tensor)
    assert [int(tensor.max()) for tensor in held] == list(range(9))


def test_sizes_that_are_not_known_need_no_memory() -> None:
    assert Shelf().take(None) is None


def test_pinned_memory_is_that_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real = torch.empty

    def empty(shape: tuple[int, ...], *, dtype: torch.dtype, pin_memory: bool) -> torch.Tensor:
        asked.append((shape, pin_memory))
        return real(shape, dtype=dtype)

    monkeypatch.setattr(torch, "empty", empty)
    found = Shelf(pinned=True).take((3, 2))
    assert found is not None
    assert (found.shape, found.dtype, asked) == ((3, 2), torch.uint8, [((3, 2), True)])


def test_memory_of_16_bits_is_never_given_for_8() -> None:
    shelf = Shelf()
    place = [shelf.take((2, 3), kind) for kind in (np.uint16, np.uint8, np.uint16)]
    kinds = [None if tensor is None else tensor.dtype for tensor in place]
    assert kinds == [torch.uint16, torch.uint8, torch.uint16]
    del place
    again = [shelf.take((2, 3), kind) for kind in (np.uint8, np.uint16)]
    assert [tensor.dtype for tensor in again if tensor is not None] == [torch.uint8, torch.uint16]
