"""What is kept of probabilities: rows as they are, maps as bytes that cover the whole image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from comp.core.errors import PredictionsError
from comp.inference import outputs
from comp.inference.outputs import MapOutput, RowOutput


def test_rows_are_kept_as_they_are_in_pieces_of_whole_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = RowOutput(3)
    probs = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    assert output.keep(probs, np.arange(4)) is probs
    assert (output.row_shape, output.row_bytes, output.source) == ((3,), 12, {})
    monkeypatch.setattr(outputs, "PIECE_ROWS", 10)
    assert [output.piece_rows(size) for size in (1, 4, 10, 64)] == [10, 8, 10, 64]


def test_maps_are_255ths_of_the_whole_image(tmp_path: Path) -> None:
    """A padded image of 8 x 4: the network saw it in the middle of a square."""
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 4, 3), np.uint8))[1].tobytes())
    output = MapOutput(2, 8, (path,), "pad", background=True)
    probs = np.zeros((1, 2, 8, 8), dtype=np.float32)
    probs[0, 0], probs[0, 1, :, 2:6] = 1, 0.6
    probs[0, 0, :, 2:6] = 0.4
    kept = output.keep(probs, np.array([0]))
    assert (kept.dtype, kept.shape) == (np.uint8, (1, *output.row_shape))
    assert (kept[0, 1] == round(0.6 * 255)).all()
    assert (kept[0, 0] == round(0.4 * 255)).all()
    assert (output.row_bytes, output.source) == (128, {"side": 8})


def test_pieces_of_maps_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    output = MapOutput(3, 10, (), "stretch", background=True)
    monkeypatch.setattr(outputs, "PIECE_BYTES", 1000)
    assert output.piece_rows(64) == 3
    monkeypatch.setattr(outputs, "PIECE_BYTES", 10)
    assert output.piece_rows(64) == 1


def test_a_map_with_nan_names_the_image() -> None:
    output = MapOutput(1, 4, (Path("x/a.png"),), "stretch", background=False)
    probs = np.full((1, 1, 4, 4), np.nan, dtype=np.float32)
    with pytest.raises(PredictionsError, match=r"a\.png: the network gives NaN"):
        output.keep(probs, np.array([0]))


@pytest.mark.parametrize(("resize", "side", "parts"), [("stretch", 8, 2), ("stretch", 6, 1),
                                                       ("pad", 8, 1), ("tiles", 8, 2)])  # fmt: skip
def test_bytes_of_the_device_are_those_of_the_cpu(
    tmp_path: Path, resize: str, side: int, parts: int
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    output = MapOutput(3, side, (path,) * 5, resize, background=True)
    logits = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    probs, rows = logits.softmax(dim=1), np.arange(5)
    crossed = output.shrunk(probs)
    assert len(crossed) == parts
    found = output.keep(*(crossed[0].numpy(), rows), *(part.numpy() for part in crossed[1:]))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, output.keep(probs.numpy(), rows))


def test_a_map_with_nan_names_the_image_where_bytes_cross_too() -> None:
    paths = (Path("x/a.png"), Path("x/b.png"))
    output = MapOutput(1, 4, paths, "stretch", background=False)
    probs = torch.zeros(2, 1, 4, 4)
    probs[1, 0, 2, 2] = float("inf")
    maps, finite = output.shrunk(probs)
    with pytest.raises(PredictionsError, match=r"b\.png: the network gives NaN"):
        output.keep(maps.numpy(), np.array([0, 1]), finite.numpy())
