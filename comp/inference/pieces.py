"""An array that is made in pieces, each safe on the disk as soon as it is made.

A piece is a `.npy` followed by its SHA-256, in a folder named by a key of what is made. The next
start continues what a crash left, and removes the pieces of other keys.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import files

Array = np.ndarray[Any, Any]
_PREFIX, _DIGEST = ".parts-", 32


@dataclass(frozen=True)
class Pieces:
    """The pieces of the array with this key, below `folder`.

    `packed`  whether they are compressed, which maps of masks are worth: a twentieth of the bytes
    """

    folder: Path
    key: str
    packed: bool = False

    @property
    def path(self) -> Path:
        """The folder of the pieces."""
        return self.folder / f"{_PREFIX}{self.key[:16]}"

    def read(self, start: int) -> Array | None:
        """The piece that begins at row `start`; None when it is missing or damaged."""
        try:
            content = self._file(start).read_bytes()
            body, digest = content[:-_DIGEST], content[-_DIGEST:]
            if hashlib.sha256(body).digest() != digest:
                return None
            if self.packed:
                body = zlib.decompress(body)
            piece: Array = np.load(io.BytesIO(body), allow_pickle=False)
            return piece
        except (OSError, ValueError, zlib.error):
            return None

    def there(self, start: int) -> bool:
        """Whether there is a file for the piece that begins at row `start`."""
        return self._file(start).is_file()

    def write(self, start: int, piece: Array) -> None:
        """Save the piece that begins at row `start`."""
        buffer = io.BytesIO()
        np.save(buffer, piece, allow_pickle=False)
        body = buffer.getvalue()
        if self.packed:
            body = zlib.compress(body, level=1)
        files.write_bytes(self._file(start), body + hashlib.sha256(body).digest())

    def _file(self, start: int) -> Path:
        return self.path / f"{start:09d}.part"

    def sweep(self) -> None:
        """Remove the pieces of other keys, and the temporary files of dead writers."""
        for path in self.folder.glob(f"{_PREFIX}*"):
            if path != self.path:
                shutil.rmtree(path, ignore_errors=True)
        files.sweep(self.path, alone=True)


def remove_pieces(folder: Path) -> None:
    """Remove all pieces below `folder`: they are joined, or no longer needed."""
    for path in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
