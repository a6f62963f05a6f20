"""Scores of outlines and objects, from training to the submission."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import cdist

import comp
from comp.data.images.geometry import scaled


@pytest.mark.parametrize(
    ("kind", "metric"), [("multilabel_segmentation", "hausdorff_95"), ("segmentation", "box_map")]
)
def test_a_run_is_trained_chosen_and_blended_by_distances_and_objects(
    toy: Callable[..., dict[str, Any]], workspace: Path, kind: str, metric: str
) -> None:
    tree = toy(kind, 24, metric=metric, train__epochs=2)
    comp.make_folds(tree, workspace, quiet=True)
    history = comp.train(tree, workspace, "0..1", quiet=True).history
    assert np.isfinite(history[metric]).any()
    assert any(name.startswith(f"{metric}[") for name in history.columns)
    done = comp.ensemble(tree, workspace, quiet=True)
    about = json.loads(Path(f"submissions/toy_{kind}.json").read_text())
    scores = about["blend"]["scores"]
    assert scores["low"] <= scores["honest"] <= scores["high"]
    assert about["by_class"]
    assert done.score == pytest.approx(scores["honest"])
    assert (workspace / f"runs/toy_{kind}/validation.html").is_file()
    comp.report(tree, workspace, quiet=True)
    board = comp.board(workspace, quiet=True).runs
    assert {*board["metric"]} == {metric}


def outlines(mask: np.ndarray) -> np.ndarray:
    """The pixels of a region with a neighbour by an edge outside it, by the shifts of the mask."""
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~inside)


def test_the_raw_score_is_that_of_the_files_computed_by_hand(
    toy: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    tree = toy("segmentation", 24, metric="hausdorff", train__epochs=4)
    tree["ensemble"] = {"tune": False}
    comp.make_folds(tree, workspace, quiet=True)
    comp.train(tree, workspace, "0..1", quiet=True)
    done = comp.ensemble(tree, workspace, quiet=True)
    sums: dict[int, list[float]] = {1: [], 2: []}
    for folder in sorted(Path("runs/toy_segmentation").glob("fold_*/valid")):
        ids = (folder / "ids.txt").read_text().split("\n")[:-1]
        for name, maps in zip(ids, np.load(folder / "probs.npy"), strict=True):
            (path,) = Path("input/train_masks").glob(f"{Path(name).stem}.*")
            truth = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            assert truth is not None
            said = scaled(maps.astype(np.float32), *truth.shape).argmax(axis=0)
            for number, found in sums.items():
                edges = outlines(truth == number), outlines(said == number)
                if len(edges[0]) and len(edges[1]):
                    apart = cdist(*edges)
                    found.append(float(max(apart.min(axis=0).max(), apart.min(axis=1).max())))
                elif len(edges[0]) or len(edges[1]):
                    found.append(float(np.hypot(*truth.shape)))
    expected = np.mean([np.mean(found) for found in sums.values()])
    assert done.score == pytest.approx(expected, rel=0.01)
