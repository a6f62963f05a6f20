"""Rows that lie in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comp.bundles.predicting import Stored
from comp.core.errors import RunError
from comp.inference.outputs import MapOutput, RowOutput
from comp.inference.pieces import Pieces


def test_rows_come_from_their_pieces(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((7, 3)).astype(np.float32)
    pieces = Pieces(tmp_path, "k")
    for start in (0, 3, 6):
        pieces.write(start, rows[start : start + 3])
    stored = Stored(pieces, [0, 3, 6], RowOutput(3), 7)
    assert (np.stack([stored[row] for row in range(7)]) == rows).all()
    assert (stored.mapped(tmp_path / "probs.npy") == rows).all()


def test_packed_maps_are_smaller_and_the_same_and_damage_is_seen(tmp_path: Path) -> None:
    maps = np.zeros((4, 2, 32, 32), np.uint8)
    maps[:, 0, 4:20, 4:20] = 255
    pieces = Pieces(tmp_path, "k", packed=True)
    pieces.write(0, maps)
    (file,) = pieces.path.iterdir()
    assert file.stat().st_size < maps.nbytes / 10
    output = MapOutput(2, 32, (), "stretch", True)
    stored = Stored(pieces, [0], output, 4)
    assert (stored[3] == maps[3]).all()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match="damaged meanwhile"):
        Stored(pieces, [0], output, 4)[0]
