"""Memory that is given again when nobody holds it."""

from __future__ import annotations

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
