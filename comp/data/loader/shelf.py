"""Memory for batches, which is given again as soon as nobody holds the batch."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, Any]

_MOST = 4  # arrays that are kept: one in use, one ready, one in work, one of another size


def torch_kind(kind: Any) -> torch.dtype:
    """What torch calls a kind of numpy, uint8 or uint16."""
    return torch.from_numpy(np.empty(0, kind)).dtype


class Shelf:
    """Fresh memory costs as much as the copy into it: the system clears each page first.

    An array is given again when only the shelf holds it; a tensor made of it, and each view of
    that, holds it. pinned: memory that a CUDA device copies from, which torch gives again itself.
    For one thread.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self.pinned = pinned
        self._kept: list[Array] = []
        self._alone = self._holders([np.empty(0, np.uint8)])

    def take(self, shape: tuple[int, ...] | None, kind: Any = np.uint8) -> Tensor | None:
        """(*shape) of the kind, uint8 or uint16, with any content; None where there is no shape."""
        if shape is None:
            return None
        if self.pinned:
            return torch.empty(shape, dtype=torch_kind(kind), pin_memory=True)
        return torch.from_numpy(self._array(shape, np.dtype(kind)))

    def _array(self, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
        for place in range(len(self._kept)):  # without a name for the array, which would hold it
            fits = self._kept[place].shape == shape and self._kept[place].dtype == kind
            if fits and self._holders(self._kept, place) == self._alone:
                self._kept.append(self._kept.pop(place))
                return self._kept[-1]
        made = np.empty(shape, kind)
        self._kept = [*self._kept[-_MOST + 1 :], made]
        return made

    @staticmethod
    def _holders(arrays: list[Array], place: int = 0) -> int:
        return sys.getrefcount(arrays[place])
