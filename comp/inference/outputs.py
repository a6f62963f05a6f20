"""What is kept of the probabilities that a network gives: rows as they are, or maps as bytes.

`RowOutput` and `MapOutput` are the two implementations of `Output`; `make_output` chooses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from comp.config.schema import Config
from comp.core.errors import PredictionsError
from comp.data.images.geometry import to_whole_image
from comp.data.images.header import image_size
from comp.data.index.index import Index
from comp.tasks.kinds import Task

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

PIECE_ROWS = 512  # images between two files of a long prediction
PIECE_BYTES = 64 << 20  # of maps in one file
_UNDONE = ("pad", "crop")  # ways to resize that are undone by the shape of the image


class Output(Protocol):
    """From the probabilities of a batch to what is saved of them."""

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row: (C,) or (C, side, side)."""

    @property
    def row_bytes(self) -> int:
        """The bytes of one row."""

    @property
    def source(self) -> dict[str, int]:
        """What predictions say about it in their `source`: another one is predicted again."""

    def piece_rows(self, batch_size: int) -> int:
        """How many rows go into one piece."""

    def shrunk(self, probs: Tensor) -> tuple[Tensor, ...]:
        """What crosses to the CPU of probabilities (B, C, ...) float32: `keep` takes it."""

    def keep(self, probs: Array, rows: Array, finite: Array | None = None) -> Array:
        """What is saved of what `shrunk` gave, or of probabilities, of these rows of the index."""


@dataclass(frozen=True)
class RowOutput:
    """(n, C) float32 probabilities, as the network gives them."""

    columns: int

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (self.columns,)

    @property
    def row_bytes(self) -> int:
        return 4 * self.columns

    @property
    def source(self) -> dict[str, int]:
        return {}

    def piece_rows(self, batch_size: int) -> int:
        """Whole batches, so that pieces change no batch."""
        return batch_size * max(1, PIECE_ROWS // batch_size)

    def shrunk(self, probs: Tensor) -> tuple[Tensor, ...]:
        return (probs,)

    def keep(self, probs: Array, rows: Array, finite: Array | None = None) -> Array:
        return probs


@dataclass(frozen=True)
class MapOutput:
    """(n, C, side, side) uint8 maps, in 255ths: each covers its whole upright image, stretched to
    a square.

    `paths`       the file of each row of the index
    `resize`      how images were resized (`image.resize`), which is undone
    `background`  whether the first column is the background
    """

    columns: int
    side: int
    paths: Sequence[Path]
    resize: str
    background: bool

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (self.columns, self.side, self.side)

    @property
    def row_bytes(self) -> int:
        return self.columns * self.side * self.side

    @property
    def source(self) -> dict[str, int]:
        return {"side": self.side}

    def piece_rows(self, batch_size: int) -> int:
        """As many as PIECE_BYTES hold."""
        return max(1, min(PIECE_ROWS, PIECE_BYTES // self.row_bytes))

    def shrunk(self, probs: Tensor) -> tuple[Tensor, ...]:
        """Bytes, and whether all of a map was finite, where the map of a square is what is kept;
        a quarter of what else crosses."""
        if self.resize in _UNDONE or tuple(probs.shape[-2:]) != (self.side, self.side):
            return (probs,)
        finite = probs.flatten(1).isfinite().all(dim=1)
        levels = (probs.float() * 255).round().clamp(0, 255).nan_to_num(0.0)
        return levels.byte(), finite

    def keep(self, probs: Array, rows: Array, finite: Array | None = None) -> Array:
        """Raises PredictionsError for a map with NaN."""
        if finite is not None:
            for row in rows[~finite].tolist():
                self._refuse_nan(self.paths[int(row)])
            return probs
        pairs = zip(probs, rows, strict=True)
        return np.stack([self._whole(one, self.paths[int(row)]) for one, row in pairs])

    @staticmethod
    def _refuse_nan(path: Path) -> None:
        raise PredictionsError(
            f"{path}: the network gives NaN for this image; was it trained well?"
        )

    def _whole(self, probs: Array, path: Path) -> Array:
        fixed = self.resize in _UNDONE
        height, width = image_size(path) if fixed else probs.shape[1:]
        if not np.isfinite(probs).all():
            self._refuse_nan(path)
        whole = to_whole_image(
            probs, height, width, self.resize, self.side, background=self.background
        )
        return np.asarray((whole * 255).round().clip(0, 255), dtype=np.uint8)


def mask_side(config: Config) -> int:
    """The side of the square maps that are saved: `predict.mask_size`, or that of the images."""
    return config.predict.mask_size or config.image.size


def make_output(task: Task, config: Config, index: Index, *, side: int | None = None) -> Output:
    """The output of a task for the images of `index`. side: of maps; None: see `mask_side`."""
    columns = task.columns(len(index.classes))
    if not task.spatial:
        return RowOutput(columns)
    side = side or mask_side(config)
    return MapOutput(columns, side, index.paths, config.image.resize, task.link.normalized)
