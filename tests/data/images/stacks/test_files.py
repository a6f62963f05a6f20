"""Which reader a file has."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from stack_toys import dicom, nifti, npy, tiff

from comp.data.images.header import image_size
from comp.data.images.stacks.files import of_several_planes, read_stack, size_of

PIXELS = np.random.default_rng(0).integers(0, 4096, (12, 20), dtype=np.uint16)
PNG = cv2.imencode(".png", PIXELS)[1].tobytes()
FILES = {
    "DICOM": dicom(PIXELS),
    "NIfTI": nifti(PIXELS.T[..., None]),
    "NPY": npy(PIXELS),
    "TIFF": tiff(PIXELS),
    "PNG": PNG,
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_is_known_by_its_first_bytes_and_gives_the_same_planes(
    tmp_path: Path, kind: str
) -> None:
    stack = read_stack(FILES[kind])
    assert stack.kind == kind
    np.testing.assert_array_equal(stack.planes[..., 0], PIXELS)
    (tmp_path / "a").write_bytes(FILES[kind])
    assert size_of(tmp_path / "a") == (None if kind in ("PNG", "TIFF") else (12, 20))


def test_usual_pictures_are_read_as_ever() -> None:
    found = {kind: of_several_planes(content) for kind, content in FILES.items()}
    assert found == {"DICOM": True, "NIfTI": True, "NPY": False, "TIFF": False, "PNG": False}
    assert of_several_planes(tiff(np.stack([PIXELS] * 3)))
    assert of_several_planes(tiff(PIXELS, bigtiff=True))
    assert not of_several_planes(tiff(np.stack([PIXELS] * 2)))


def test_a_tiff_that_pillow_does_not_know_has_a_size(tmp_path: Path) -> None:
    five = np.repeat(PIXELS[..., None], 5, axis=2)
    (tmp_path / "a.tif").write_bytes(tiff(five, planarconfig="contig"))
    assert image_size(tmp_path / "a.tif") == (12, 20)
    (tmp_path / "b.tif").write_bytes(tiff(PIXELS, bigtiff=True))
    assert image_size(tmp_path / "b.tif") == (12, 20)
