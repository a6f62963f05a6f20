"""COCO's polygons and run lengths become regions."""

import numpy as np

from comp.data.masks.coco_shapes import region_of, shape_fault

LEFT = [0.0, 0.0, 4.0, 0.0, 4.0, 6.0, 0.0, 6.0]  # x, y: the four columns on the left
PACKED = "=24000a0"  # 6 x 8 pixels, six of them marked

BOX = np.zeros((6, 8), bool)


BOX[1:5, 2:6] = True


def runs_of(mask: np.ndarray) -> list[int]:
    """COCO's run lengths: down the columns, first of zeros."""
    flat = np.concatenate([[0], mask.ravel(order="F").astype(int)])
    edges = np.flatnonzero(np.diff(flat)) if flat.any() else np.array([], int)
    return np.diff([0, *edges, mask.size]).tolist()


def test_crowd_run_lengths_are_read_packed_and_not() -> None:
    from pycocotools import mask as coco

    plain = {"size": [6, 8], "counts": runs_of(BOX)}
    assert (region_of(plain, (6, 8)) == BOX).all()
    assert (region_of(coco.frPyObjects(plain, 6, 8), (6, 8)) == BOX).all()


def test_a_hole_in_run_lengths_stays_a_hole() -> None:
    ring = BOX.copy()
    ring[2:4, 3:5] = False
    found = region_of({"size": [6, 8], "counts": runs_of(ring)}, (6, 8))
    assert (found == ring).all()


def test_several_polygons_are_one_object() -> None:
    right = [6.0, 0.0, 8.0, 0.0, 8.0, 6.0, 6.0, 6.0]
    found = region_of([LEFT, right], (6, 8))
    assert found.all(axis=0).tolist() == [True] * 4 + [False] * 2 + [True] * 2


def test_polygons_of_two_points_cover_nothing() -> None:
    assert not region_of([[0, 0, 5, 5]], (6, 8)).any()
    assert not region_of([], (6, 8)).any()


def test_packed_run_lengths_are_those_of_pycocotools() -> None:
    from pycocotools import mask as coco

    draw = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.5, 1.0):
        mask = np.asfortranarray((draw.random((70, 90)) < share).astype(np.uint8))
        packed = {**coco.encode(mask), "size": [70, 90]}
        assert shape_fault(packed, (70, 90)) is None
        assert (region_of(packed, (70, 90)) == mask).all()
    assert region_of({"size": [6, 8], "counts": PACKED}, (6, 8)).sum() == 6
