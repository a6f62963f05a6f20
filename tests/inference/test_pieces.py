from pathlib import Path

import numpy as np

from comp.inference.pieces import Pieces, remove_pieces


def test_a_piece_comes_back_as_it_was(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path, "a" * 64)
    piece = np.arange(6, dtype=np.float32).reshape(2, 3)
    pieces.write(4, piece)
    found = pieces.read(4)
    assert found is not None
    np.testing.assert_array_equal(found, piece)
    assert found.dtype == np.float32
    assert pieces.read(0) is None


def test_a_damaged_piece_is_made_again(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path, "a" * 64)
    pieces.write(0, np.zeros((2, 3), dtype=np.float32))
    (path,) = pieces.path.iterdir()
    whole = path.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-40] + b"x" + whole[-39:]):
        path.write_bytes(content)
        assert pieces.read(0) is None


def test_what_belongs_to_something_else_is_swept(tmp_path: Path) -> None:
    old, new = Pieces(tmp_path, "a" * 64), Pieces(tmp_path, "b" * 64)
    for pieces in (old, new):
        pieces.write(0, np.zeros(3))
    (new.path / ".000000002.part.1.tmp").write_bytes(b"half")
    new.sweep()
    assert not old.path.exists()
    assert [path.name for path in new.path.iterdir()] == ["000000000.part"]
    remove_pieces(tmp_path)
    assert list(tmp_path.iterdir()) == []
