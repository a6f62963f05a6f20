"""The page of a validated segmentation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from comp.data.index.index import Index
from comp.report.overlay import colour_of
from comp.report.validation_page import ranked, write_validation_page
from comp.tasks.counts import count_pixels
from comp.tasks.metrics import METRICS

SIZE = (24, 32)


def masks(row: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (H, W, 1) of an image; the prediction is better in later images."""
    truth = np.zeros((*SIZE, 1), dtype=np.uint8)
    truth[4:20, 4:20] = 1 + row % 2
    predicted = truth.copy()
    predicted[4 : 20 - 3 * row] = 0
    return truth, predicted


@pytest.fixture
def counts() -> np.ndarray:
    pairs = [masks(row) for row in range(5)]
    return np.stack([count_pixels(*(m.transpose(2, 0, 1) for m in p), 3) for p in pairs])


def test_images_are_ranked_by_dice(counts: np.ndarray) -> None:
    found = ranked(counts, 2, 2)
    assert [row for row, _ in found["worst"]] == [0, 1]
    assert [row for row, _ in found["best"]] == [3, 4]
    assert found["best"][-1][1] == pytest.approx(2 * 12 / (12 + 16))


def test_the_page_has_scores_colours_and_pictures(tmp_path: Path, counts: np.ndarray) -> None:
    paths = []
    for row in range(5):
        paths.append(tmp_path / f"{row}.png")
        cv2.imwrite(str(paths[-1]), np.full((*SIZE, 3), 40 * row, np.uint8))
    target = np.array([[1 - row % 2, row % 2] for row in range(5)])
    ids = tuple(f"<{row}>" for row in range(5))
    index = Index(ids, tuple(paths), ("긁힘", "dent"), target)
    page = tmp_path / "run" / "validation.html"
    metric = METRICS["dice"]
    score = metric.score(counts, counts, 2)
    write_validation_page(page, index, counts, score, metric, masks)
    text = page.read_text(encoding="utf-8")
    assert f"<b>{score:.4f}</b>" in text
    for number, name in enumerate(index.classes, 1):
        assert f"rgb{colour_of(number)}" in text
        assert f"</span>{name}" in text
    shown = sum(len(rows) for rows in ranked(counts, 2, 6).values())
    assert text.count("data:image/jpeg;base64,") == 3 * shown
    assert "&lt;3&gt;" in text
