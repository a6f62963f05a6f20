"""An answer for classes that nobody has seen, from the folds to the submission."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from toys import write_csv

import comp
from comp.core.errors import ConfigError
from comp.data.folds.held_out import held_out

CLASSES, EACH = 8, 8


def lay() -> None:
    """Plain colours, a class each; in the test half the images are of colours nobody has seen."""
    draw = np.random.default_rng(5)
    rows: list[list[Any]] = [["id", "label"]]
    for number in range(CLASSES * EACH):
        shade(Path(f"input/train/{number:03d}.png"), number % CLASSES, draw)
        rows.append([f"{number:03d}", f"c{number % CLASSES}"])
    write_csv(Path("input/train.csv"), rows)
    rows = [["id", "label"]]
    for number in range(16):
        shade(Path(f"input/test/t{number:02d}.png"), number, draw)
        rows.append([f"t{number:02d}", "new c0 c1"])
    write_csv(Path("input/sample_submission.csv"), rows)


def shade(path: Path, kind: int, draw: np.random.Generator) -> None:
    colour = [40 + 170 * ((kind >> bit) & 1) for bit in range(3)]
    if kind >= CLASSES:
        colour = [255 - value // 2 for value in colour]
    pixels = np.clip(np.array(colour) + draw.normal(0, 12, (24, 24, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def tree(**over: Any) -> dict[str, Any]:
    return {
        "name": "whales",
        "task": "multiclass",
        "metric": "map_at_3",
        "data": {"root": "input", "id": "id", "target": "label", "new": "new", "new_share": 0.25},
        "folds": {"count": 2},
        "image": {"size": 24},
        "augment": {"recipe": "none"},
        "model": {"name": "test_resnet", "pretrained": False},
        "train": {"epochs": 12, "batch_size": 8, "lr": 1e-2, "sched": "cosine", "workers": 0},
        **over,
    }


def test_the_threshold_is_tuned_on_classes_that_the_fold_never_saw(workspace: Path) -> None:
    lay()
    config = tree()
    comp.make_folds(config, workspace, quiet=True)
    comp.train(config, workspace, "0..1", quiet=True)
    done = comp.ensemble(config, workspace, quiet=True)
    blend = json.loads(Path("submissions/whales.json").read_text())["blend"]
    held = held_out(CLASSES + 1, 0.25, 42, 2)
    assert held[:, :-1].sum(axis=1).tolist() == [2, 2]
    table = pd.read_csv("input/train.csv", dtype=str).set_index("id")["label"]
    total, ranks = 0, {"raw": 0.0, "tuned": 0.0}
    for folder in sorted(Path("runs/whales").glob("fold_*/valid")):
        fold = int(folder.parent.name.rpartition("_")[2])
        ids = (folder / "ids.txt").read_text().split("\n")[:-1]
        for name, row in zip(ids, np.load(folder / "probs.npy").astype(float), strict=True):
            truth = int(table[name][1:])
            truth = CLASSES if held[fold, truth] else truth
            total += 1
            for kind, threshold in (("raw", 0.0), ("tuned", blend["rule"][-1])):
                raised = row.copy()
                raised[-1] += threshold
                place = int((raised > raised[truth]).sum())
                ranks[kind] += 1 / (place + 1) if place < 3 else 0
    assert total == CLASSES * EACH
    for kind, value in ranks.items():
        assert blend["scores"][kind] == pytest.approx(value / total, abs=1e-5)
    assert blend["scores"]["tuned"] > blend["scores"]["raw"]
    answers = pd.read_csv("submissions/whales.csv").set_index("id")["label"].str.split(" ")
    assert {len(cell) for cell in answers} == {3}
    first = answers.str[0]
    assert (first == "new").any()
    assert (first[[f"t{n:02d}" for n in range(8)]] == [f"c{n}" for n in range(8)]).sum() >= 4
    assert done.score == pytest.approx(blend["scores"]["honest"])


def test_what_needs_every_class_in_every_fold_is_refused(workspace: Path) -> None:
    lay()
    with pytest.raises(ConfigError, match=r"ensemble.prior: not with data.new"):
        config = tree(ensemble={"prior": "auto"})
        comp.make_folds(config, workspace, quiet=True)
        comp.train(config, workspace, "0", quiet=True)
    with pytest.raises(ConfigError, match=r"data.new: is for task: multiclass, not for binary"):
        comp.make_folds(tree(task="binary", metric="accuracy"), workspace, quiet=True)
