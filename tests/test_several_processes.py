"""Two processes that train one fold learn what one learns, not of plain photographs only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from stack_toys import tiff
from toys import write_csv

from comp.config.loading import make_config
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.train import train
from comp.train.checkpoints import checkpoint

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


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
        "augment": {"recipe": "flips_rotate", "mixup": 0.4, "erasing": 0.5},
        "model": {"name": "test_vit", "pretrained": False},
        "train": {"epochs": 1, "batch_size": 6, "opt": "sgd", "lr": 0.1, "workers": 0},
    }


def test_channels_weights_and_auxiliary_columns_are_learned_as_by_one(workspace: Path) -> None:
    lay(Path("input"))
    alone = open_experiment(make_config(config("one")))
    make_folds(alone)
    train(alone, "0")
    Path("two.yaml").write_text(yaml.safe_dump(config("two")))
    words = [*TORCHRUN, "-m", "comp", "train", "-c", "two.yaml", "--fold", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (checkpoint.load(Path(f"runs/{name}/fold_0/last.pt")) for name in ("one", "two"))
    for part in ("model", "aux"):
        assert one[part].keys() == two[part].keys()
        for name, value in one[part].items():
            assert torch.allclose(value, two[part][name], rtol=0, atol=1e-6), name
