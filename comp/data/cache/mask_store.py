"""Where the masks of an index come from: a memory map, or their sources each time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from comp.data.cache.store import from_state, plain, to_state
from comp.data.index.masks import Masks

Array = np.ndarray[Any, Any]


class MaskStore(Protocol):
    """The masks of an index: (H, W, L) uint8 for each row, as large as its image is stored."""

    @property
    def layers(self) -> int:
        """L."""

    def __getitem__(self, row: int) -> Array: ...


class PackedMasks:
    """Masks (N, S, S, L) uint8 of a pack, for images that are packed at that size."""

    def __init__(self, masks: Any) -> None:
        self.masks, self.layers = masks, int(masks.shape[-1])
        self._plain = plain(masks)

    def __getitem__(self, row: int) -> Array:
        return np.asarray(self._plain[int(row)])

    def __getstate__(self) -> Any:
        return to_state(self.masks)

    def __setstate__(self, state: Any) -> None:
        self.__init__(from_state(state))  # type: ignore[misc]


class UnpackedMasks:
    """Masks at the size of their images, made each time from their sources."""

    def __init__(self, masks: Masks) -> None:
        self.masks, self.layers = masks, masks.layers

    def __getitem__(self, row: int) -> Array:
        return self.masks.read(int(row))
