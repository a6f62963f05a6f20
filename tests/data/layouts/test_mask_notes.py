"""What was found in mask files is noted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comp.data.layouts import mask_notes
from comp.data.layouts.mask_notes import Values, read_values


def test_values_are_numbers_or_colours_and_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey, colour, torn = (tmp_path / f"{name}.png" for name in "gct")
    Image.fromarray(np.array([[0, 3, 3]], np.uint8)).save(grey)
    Image.fromarray(np.array([[(255, 0, 0), (0, 0, 0), (0, 0, 0)]], np.uint8)).save(colour)
    torn.write_bytes(b"x")
    complaints: list[str] = []
    paths = [grey, colour, torn]
    found = read_values(paths, complaints, tmp_path / "cache")
    expected = {
        grey: Values(numbers=(0, 3)),
        colour: Values(colours=((0, 2), (0xFF0000, 1))),
        torn: Values(),
    }
    assert found == expected
    assert len(complaints) == 1
    assert "t.png: not an image" in complaints[0]
    monkeypatch.setattr(mask_notes, "read_mask_file", None)
    assert read_values(paths[:2], [], tmp_path / "cache") == {p: expected[p] for p in paths[:2]}
