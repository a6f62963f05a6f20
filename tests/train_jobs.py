"""Folds of a few images, ready to train: what the tests of training share."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toys import regions, toy_tree

from comp.config.loading import make_config
from comp.config.schema import Config
from comp.config.workspace import RunDir
from comp.data.cache.mask_store import PackedMasks
from comp.data.images.resize import OWN_SIZE
from comp.models.device import choose_device
from comp.tasks.kinds import TASKS, number_link
from comp.tasks.metrics import METRICS
from comp.train import loop
from comp.train.checkpoints import checkpoint
from comp.train.job import Job
from comp.train.stop import Stop

ROWS, SIZE = 26, 24


def make_job(path: Path, kind: str = "multiclass", fold: int = 0, **over: Any) -> Job:
    """13 training and 13 validation images whose brightness tells their class."""
    workers, content = over.pop("workers", 0), over.pop("content", "")
    device, stop = over.pop("device", None), over.pop("stop", None)
    tree = toy_tree(kind, **{"train__epochs": 3, "model__drop_rate": 0.3, **over})
    if TASKS[kind].spatial:
        return replace(
            mask_job(path, kind, make_config(tree)),
            fold=fold,
            workers=workers,
            content=content,
            device=device or choose_device("fp32"),
            stop=stop or Stop(),
        )
    classes = 2 if kind == "binary" else 3
    number = np.arange(ROWS) // 2 % classes
    noise = np.random.default_rng(0).integers(0, 40, (ROWS, SIZE, SIZE, 3))
    images = (noise + 70 * number[:, None, None, None]).astype(np.uint8)
    multilabel = np.stack([number > 0, number > 1], axis=1).astype(np.int64)
    names = ("x", "y", "z") if kind in ("multiclass", "ordinal") else ("x", "y")
    targets = {"multilabel": multilabel, "regression": np.stack([number, -2.5 * number], axis=1)}
    task = TASKS[kind]
    return Job(
        config=make_config(tree),
        task=replace(task, link=number_link(2, "none", None)) if task.link.measures else task,
        metric=METRICS[tree["metric"]],
        fold=fold,
        images=images,
        target=targets.get(kind, number),
        classes=names,
        train_rows=np.arange(0, ROWS, 2),
        valid_rows=np.arange(1, ROWS, 2),
        plan="plan" * 16,
        run=RunDir(path),
        device=device or choose_device("fp32"),
        workers=workers,
        stop=stop or Stop(),
        content=content,
    )


def mask_job(path: Path, kind: str, config: Config) -> Job:
    """12 training and 12 validation images with a disc, a box, both or neither."""
    task, own = TASKS[kind], config.image.resize in OWN_SIZE
    pairs = [regions(seed, 40, 40 + 4 * (seed % 3) * own) for seed in range(24)]
    layers = [mask[..., None] if task.layers(2) == 1 else
              np.stack([mask == 1, mask == 2], axis=-1).astype(np.uint8)
              for _, mask in pairs]  # fmt: skip
    images: Any = [image for image, _ in pairs] if own else np.stack([i for i, _ in pairs])
    store = Own(images, config) if own else images
    kept: Any = Own(layers, config) if own else PackedMasks(np.stack(layers))
    there = [[(mask == number).any() for number in (1, 2)] for _, mask in pairs]
    return Job(
        config=config,
        task=task,
        metric=METRICS["dice"],
        fold=0,
        images=store,
        target=np.array(there, dtype=np.int64),
        classes=("disc", "box"),
        train_rows=np.arange(0, 24, 2),
        valid_rows=np.arange(1, 24, 2),
        plan="plan" * 16,
        run=RunDir(path),
        device=choose_device("fp32"),
        workers=0,
        masks=kept,
    )


class Own:
    """A list of images, or of masks, of several sizes."""

    own_size = True
    dtype = np.dtype(np.uint8)

    def __init__(self, items: list[Any], config: Config) -> None:
        self.items, self.layers = items, items[0].shape[-1]
        self.shape = (len(items), config.image.size, config.image.size, 3)

    def __getitem__(self, row: int) -> Any:
        return self.items[row]


def weights(run: RunDir, name: str = "last") -> str:
    """A digest of every tensor and number in a checkpoint."""
    total = hashlib.sha256()

    def visit(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            total.update(value.contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                total.update(str(key).encode())
                visit(value[key])
        elif isinstance(value, (list, tuple)):
            for item in value:
                visit(item)
        else:
            total.update(repr(value).encode())

    visit(checkpoint.load(run.path / f"{name}.pt"))
    return total.hexdigest()


class Killed(BaseException):
    """Stands for a signal that nothing catches."""


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    real, calls = loop.update, iter(range(10**6))

    def update(*args: Any) -> None:
        if next(calls) == call:
            raise Killed
        real(*args)

    monkeypatch.setattr(loop, "update", update)
