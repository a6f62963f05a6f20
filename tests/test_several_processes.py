"""Two processes that train one fold learn what one learns, not of plain photographs only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stack_toys import tiff
from toys import write_csv

from comp.config.loading import make_config
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.runners.table import Where, train_on
from comp.stages.train import open_job, train
from comp.train.checkpoints import checkpoint
from comp.train.train_state import new_state

BOTH = Where("together", "cpu,cpu")


def lay(root: Path) -> None:
    """Images of five channels and 16 bits, with a weight and an unanswered column for each."""
    rows = [[f"tr{n:02}", "ab"[n % 2], n % 3, f"s{n % 4}"] for n in range(16)]
    for part, count in (("train", 16), ("test", 2)):
        (root / part).mkdir(parents=True)
        for number in range(count):
            draw = np.random.default_rng(number)
            pixels = draw.normal(900 + 900 * (number % 2), 60, (5, 16, 16)).clip(0, 4095)
            content = tiff(pixels.astype(np.uint16))
            (root / part / f"{part[:2]}{number:02}.tif").write_bytes(content)
    write_csv(root / "train.csv", [["id", "label", "w", "site"], *rows])
    write_csv(root / "sample_submission.csv", [["id", "label"], ["te00", "a"], ["te01", "a"]])


def config(name: str) -> dict[str, Any]:
    """Without batch norm, and without a step that divides rounding by rounding."""
    aux = [{"column": "site", "loss": "ce"}]
    data = {"root": "input", "id": "id", "target": "label", "weight": "w", "aux": aux}
    return {
        "name": name,
        "task": "binary",
        "metric": "accuracy",
        "data": data,
        "folds": {"count": 2, "plan": "both"},
        "image": {"size": 16, "channels": 5, "bits": 16, "mean": "auto", "std": "auto"},
        "augment": {"recipe": "flips_rotate", "mixup": 0.4, "cutmix": 0.4, "erasing": 0.5},
        "model": {"name": "test_vit", "pretrained": False},
        "train": {"epochs": 2, "batch_size": 6, "opt": "sgd", "lr": 0.1, "workers": 0},
    }


def test_channels_weights_and_auxiliary_columns_are_learned_as_by_one(
    workspace: Path, capfd: Any
) -> None:
    lay(Path("input"))
    alone = open_experiment(make_config(config("one")))
    make_folds(alone)
    train(alone, "0")
    start = new_state(open_job(alone, 0), 2, 6).net.module.state_dict()
    capfd.readouterr()
    (done,) = train_on(BOTH, open_experiment(make_config(config("two"))), "0")
    assert (done.fold, done.before, done.manifest["epochs"]) == (0, False, 2)
    said = capfd.readouterr().err
    assert "fold 0: 2 processes, 3 + 3 images of each batch of 6" in said
    assert said.count("epoch 2/2") == 1
    sessions = json.loads(Path("runs/two/fold_0/sessions.json").read_text())["sessions"]
    assert len(sessions) == 1
    one, two = (checkpoint.load(Path(f"runs/{name}/fold_0/last.pt")) for name in ("one", "two"))
    assert (
        max(float((one["model"][name] - value).abs().max()) for name, value in start.items()) > 1e-2
    )
    for part in ("model", "aux"):
        assert one[part].keys() == two[part].keys()
        for name, value in one[part].items():
            assert torch.allclose(value, two[part][name], rtol=0, atol=1e-6), name
