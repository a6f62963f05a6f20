"""Mean average precision against COCO's own evaluation."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.ndimage import gaussian_filter

from comp.tasks.metrics import METRICS
from comp.tasks.regions.objects import box_ious, find_objects, mask_ious, matches

Array = np.ndarray
SHAPE = (48, 40)


def world(seed: int, images: int = 12) -> tuple[Array, Array, Array]:
    """Truth and answers with two classes, (N, 1, H, W), and probabilities (N, 3, H, W)."""
    draw = np.random.default_rng(seed)
    fields = gaussian_filter(draw.normal(size=(images, 3, *SHAPE)), (0, 0, 3, 3)) * 30
    fields[:, 0] += 2
    truth = fields.argmax(axis=1)[:, None].astype(np.uint8)
    moved = fields + gaussian_filter(draw.normal(size=fields.shape), (0, 0, 2, 2)) * 9
    probs = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
    return truth, probs.argmax(axis=1)[:, None].astype(np.uint8), probs


def annotations(masks: Array, probs: Array | None) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for image, mask in enumerate(masks):
        for number in (1, 2):
            found = find_objects(mask[0] == number)
            scores = None if probs is None else found.scores(probs[image, number])
            for row in range(len(found)):
                region = np.asfortranarray((found.numbers == row + 1).astype(np.uint8))
                own = {
                    "image_id": image,
                    "category_id": number,
                    "bbox": found.boxes[row].tolist(),
                    "segmentation": coco_mask.encode(region),
                    "area": int(found.areas[row]),
                    "iscrowd": 0,
                    "id": len(out) + 1,
                }
                out.append(own if scores is None else {**own, "score": float(scores[row])})
    return out


def by_coco(truth: Array, labels: Array, probs: Array, kind: str) -> tuple[float, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO()
        ground.dataset = {
            "images": [{"id": k, "height": SHAPE[0], "width": SHAPE[1]} for k in range(len(truth))],
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
            "annotations": annotations(truth, None),
        }
        ground.createIndex()
        judge = COCOeval(ground, ground.loadRes(annotations(labels, probs)), kind)
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    table = judge.eval["precision"][:, :, :, 0, -1]
    table = np.where(table < 0, np.nan, table)
    return float(np.nanmean(table)), float(np.nanmean(table[0]))


def measures(name: str, truth: Array, labels: Array, probs: Array) -> Array:
    rows = zip(truth, labels, probs, strict=True)
    return np.stack([METRICS[name].of_image(t, p, own, 3) for t, p, own in rows])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_average_precision_is_that_of_coco(seed: int, kind: str) -> None:
    truth, labels, probs = world(seed)
    expected = by_coco(truth, labels, probs, kind)
    name = {"bbox": "box", "segm": "mask"}[kind]
    assert 0.1 < expected[0] < 0.95
    for metric, value in zip((f"{name}_map", f"{name}_ap50"), expected, strict=True):
        rows = measures(metric, truth, labels, probs)
        assert METRICS[metric].score(rows, rows, 2) == pytest.approx(value, abs=1e-6)


def test_images_count_as_often_as_they_are_drawn() -> None:
    truth, labels, probs = world(5)
    rows = measures("box_map", truth, labels, probs)
    again = rows[[0, 0, 3, 4, 4, 4]]
    weights = np.zeros(len(rows))
    weights[[0, 3, 4]] = 2, 1, 3
    metric = METRICS["box_map"]
    assert metric.score(rows, rows, 2, weights) == pytest.approx(
        metric.score(again, again, 2), abs=0.02
    )


def test_a_class_without_objects_is_undefined_and_one_without_answers_is_zero() -> None:
    truth = np.zeros((1, 1, *SHAPE), dtype=np.uint8)
    truth[0, 0, 3:9, 4:20] = 1
    nothing = np.zeros_like(truth)
    probs = np.full((1, 3, *SHAPE), 1 / 3)
    rows = measures("mask_ap50", truth, nothing, probs)
    found = METRICS["mask_ap50"].class_scores(rows, 2)
    assert found[1] == 0
    assert np.isnan(found[2])
    rows = measures("mask_ap50", truth, truth, probs)
    assert METRICS["mask_ap50"].score(rows, rows, 2) == 1


def test_ious_are_those_of_pycocotools() -> None:
    truth, labels, _ = world(7)
    one, other = find_objects(truth[0, 0] == 1), find_objects(labels[0, 0] == 1)
    packed = []
    for part in (one, other):
        own = [np.asfortranarray(part.numbers == k + 1, dtype=np.uint8) for k in range(len(part))]
        packed.append([coco_mask.encode(region) for region in own])
    expected = coco_mask.iou(packed[0], packed[1], [0] * len(other))
    assert mask_ious(one, other) == pytest.approx(np.asarray(expected))
    sides = [np.ascontiguousarray(part.boxes, dtype=float) for part in (one, other)]
    boxes = coco_mask.iou(*sides, [0] * len(other))
    assert box_ious(one, other) == pytest.approx(np.asarray(boxes))


def test_an_object_is_found_once() -> None:
    found = matches(np.array([[0.9, 0.0], [0.8, 0.55]]))
    assert found[0].tolist() == [True] * 9 + [False]
    assert found[1].tolist() == [True, True] + [False] * 8
