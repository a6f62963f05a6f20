"""An array that is made in pieces, each safe on the disk as soon as it is there.

A piece is a `.npy` with its SHA-256 behind it, in a folder that is named after what is made. What a
crash leaves is taken up by the next start; what belongs to something else is swept by it.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files

Array = np.ndarray[Any, Any]
_PREFIX, _DIGEST = ".parts-", 32


@dataclass(frozen=True)
class Pieces:
    """The pieces of what `key` names, below `folder`."""

    folder: Path
    key: str

    @property
    def path(self) -> Path:
        """Where they lie."""
        return self.folder / f"{_PREFIX}{self.key[:16]}"

    def read(self, start: int) -> Array | None:
        """The piece that begins at row `start`; None when it is not there or not whole."""
        try:
            content = self._file(start).read_bytes()
            body, digest = content[:-_DIGEST], content[-_DIGEST:]
            if hashlib.sha256(body).digest() != digest:
                return None
            piece: Array = np.load(io.BytesIO(body), allow_pickle=False)
            return piece
        except (OSError, ValueError):
            return None

    def there(self, start: int) -> bool:
        """Whether a piece begins at row `start`."""
        return self._file(start).is_file()

    def write(self, start: int, piece: Array) -> None:
        """Keep the piece that begins at row `start`."""
        buffer = io.BytesIO()
        np.save(buffer, piece, allow_pickle=False)
        body = buffer.getvalue()
        files.write_bytes(self._file(start), body + hashlib.sha256(body).digest())

    def _file(self, start: int) -> Path:
        return self.path / f"{start:09d}.part"

    def sweep(self) -> None:
        """Remove the pieces of other keys, and what a writer that died left among these."""
        for path in self.folder.glob(f"{_PREFIX}*"):
            if path != self.path:
                shutil.rmtree(path, ignore_errors=True)
        files.sweep(self.path, alone=True)


def remove_pieces(folder: Path) -> None:
    """Remove all pieces below `folder`: they are joined, or of no use."""
    for path in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
