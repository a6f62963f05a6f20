"""A competition of 12 images and a network of a few hundred weights: a whole run in a blink.

With 200 images (`MANY`) no check that looks at some rows of a pack sees all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import yaml
from timm.models import register_model
from torch import Tensor, nn
from toys import paint, toy_rows, toy_tree, write_csv

FOLDS, EPOCHS, IMAGES, TESTS = 2, 3, 12, 5
MANY_IMAGES = 200, 60  # with labels, and to be predicted
MANY: dict[str, Any] = {"train__epochs": 2, "train__batch_size": 40, "predict__batch_size": 20}


class Tiny(nn.Module):
    """Two layers with batch norm and dropout between."""

    pretrained_cfg: ClassVar = {"input_size": (3, 8, 8), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    default_cfg: ClassVar = pretrained_cfg

    def __init__(self, num_classes: int, drop_rate: float) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(self.norm(self.stem(x)).relu().mean((2, 3))))


@register_model
def faults_tiny(pretrained: bool = False, **options: Any) -> Tiny:
    """What `model.name: faults_tiny` builds."""
    return Tiny(options["num_classes"], options["drop_rate"])


def write_input(folder: Path, images: int = IMAGES, test_images: int = TESTS) -> None:
    """The competition itself."""
    header, rows = toy_rows("multiclass", images)
    write_csv(folder / "train.csv", [header, *rows])
    tests = [f"t{number}" for number in range(test_images)]
    write_csv(folder / "sample_submission.csv", [header, *([name, 0] for name in tests)])
    for name, label in rows:
        paint(folder / f"train/{name}.png", 40 + 80 * int(label), seed=int(name), size=8)
    for number, name in enumerate(tests):
        paint(folder / f"test/{name}.png", 40 + 80 * (number % 3), seed=100 + number, size=8)


def write_config(path: Path, data: Path, **over: Any) -> None:
    """A config that checkpoints after every step."""
    tree = toy_tree(
        "multiclass",
        **{
            "name": "toy",
            "data__root": str(data),
            "folds__count": FOLDS,
            "image__size": 8,
            "augment__recipe": "flips",
            "model__name": "faults_tiny",
            "model__drop_rate": 0.2,
            "train__epochs": EPOCHS,
            "train__batch_size": 4,
            "seed": 2,
            "train__opt": "sgd",
            "train__lr": 0.3,
            "train__ema": 0.5,
            "train__checkpoint_minutes": 1e-9,
            "predict__batch_size": 2,
            "ensemble__tune": False,
            **over,
        },
    )
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
