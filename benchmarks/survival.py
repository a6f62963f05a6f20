"""What it costs that a run cannot be lost: checkpoints, resuming, determinism.

    python benchmarks/survival.py checkpoints resuming determinism

Measured interleaved, A-B-A-B, after one round that does not count; ratios are taken within a round.
Results go to survival.json and survival.md beside this file; parts that are not named keep what
they had.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import timm
import torch
from measure import interleaved, keep, ratios, summary, timed

from comp.config.workspace import RunDir
from comp.core import files, rng
from comp.data.loader.recipes import make_recipe
from comp.train.checkpoints import checkpoint

REPOSITORY = Path(__file__).parent.parent
ROUNDS = 7
BATCH, SIZE = 32, 96

# The command, up to the end of its update number `last`; then it dies as by kill -9.
CHILD = """
import os, sys
import comp.train.loop as loop
from comp.cli.main import main
real, count = loop.update, 0
def update(*given):
    global count
    real(*given)
    count += 1
    if count == LAST:
        os.kill(os.getpid(), 9)
loop.update = update
sys.argv = ["comp", *sys.argv[1:]]
main()
"""


def trained_state(name: str) -> dict[str, Any]:
    """What a run of this network keeps: weights, their average, the two moments of AdamW."""
    module = timm.create_model(name, num_classes=26)
    optimizer = torch.optim.AdamW(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    ema = {key: value.clone() for key, value in module.state_dict().items()}
    state = {"model": module.state_dict(), "ema": ema, "optimizer": optimizer.state_dict()}
    return {**state, "epoch": 1, "step": 2, "history": []}


def checkpoints(folder: Path) -> dict[str, Any]:
    """P6: `save_last` with its two generations, and `torch.save` over one file."""
    state, run = trained_state("resnet18"), RunDir(folder / "run")
    run.path.mkdir()

    def synced() -> None:
        torch.save(state, folder / "synced.pt")
        files.sync(folder / "synced.pt")

    found = interleaved(
        {
            "torch.save": lambda: torch.save(state, folder / "plain.pt"),
            "ours": lambda: checkpoint.save_last(state, run),
            "torch.save + fsync": synced,
        },
        ROUNDS,
    )
    return {
        "MB": round(run.last.stat().st_size / 1e6, 1),
        "seconds": {name: summary(values) for name, values in found.items()},
        "ours / torch.save": ratios(found, "ours", "torch.save"),
        "ours / (torch.save + fsync)": ratios(found, "ours", "torch.save + fsync"),
    }


def start(workspace: Path, last: int = 1) -> None:
    """`comp train` in a process of its own, killed at the end of its update number `last`."""
    over = ["model.name=resnet18", "train.checkpoint_minutes=1e-9"]
    command = [sys.executable, "-c", CHILD.replace("LAST", str(last)), "train", "--fold", "0", "-q"]
    command += [part for pair in over for part in ("--set", pair)]
    paths = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=workspace, env=paths, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr


def resuming(folder: Path) -> dict[str, Any]:
    """P7: from the start of the command to the end of its first update, packed images there."""
    command = [sys.executable, "-m", "comp", "folds", "make", "-q"]
    paths = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, cwd=folder, env=paths, check=True, capture_output=True)
    start(folder, 21)
    shutil.move(folder / "runs", folder / "killed")

    def workspace(resumed: bool) -> None:
        shutil.rmtree(folder / "runs", ignore_errors=True)
        if resumed:
            shutil.copytree(folder / "killed", folder / "runs")

    seconds: dict[str, list[float]] = {"fresh": [], "resumed": []}
    for number in range(ROUNDS + 1):
        for name, values in seconds.items():
            workspace(name == "resumed")
            os.sync()
            took = timed(lambda: start(folder))
            if number:
                values.append(took)
    return {
        "what": "resnet18, the digits; killed at update 21 of 36 of the first epoch",
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "resumed / fresh": ratios(seconds, "resumed", "fresh"),
    }


class _Same:
    """Stands for a generator whose state is the one that is there."""

    def __init__(self, recipe: Any) -> None:
        self.state = recipe._numpy.bit_generator.state


def determinism(folder: Path) -> dict[str, Any]:
    """P17: a step (augmentation, forward, backward, update) with its seeds and without."""
    del folder
    images = np.random.default_rng(0).integers(0, 256, (BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    recipe = make_recipe("light", SIZE)
    module = timm.create_model("resnet18", num_classes=10)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)
    target = torch.arange(BATCH) % 10

    def step() -> None:
        batch = [recipe(i, rng.derive(42, "augment", 0, 1, n)) for n, i in enumerate(images)]
        rng.seed_torch(42, "step", 0, 1, 2)
        pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float().div_(255)
        torch.nn.functional.cross_entropy(module(pixels), target).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def seeds() -> None:
        for position in range(BATCH):
            seed = rng.derive(42, "augment", 0, 1, position)
            recipe._python.seed(seed)
            recipe._numpy.bit_generator.state = np.random.PCG64(seed).state
        rng.seed_torch(42, "step", 0, 1, 2)

    def unseeded() -> None:
        with ExitStack() as stack:
            for name in ("derive", "seed_torch"):
                stack.enter_context(mock.patch.object(rng, name, return_value=1))
            stack.enter_context(mock.patch.object(recipe._python, "seed", return_value=None))
            stack.enter_context(mock.patch.object(np.random, "PCG64", return_value=_Same(recipe)))
            step()

    found = interleaved({"step": step, "without seeds": unseeded, "seeds": seeds}, 30)
    return {
        "what": f"resnet18, {BATCH} images of {SIZE} px, recipe light, on the CPU",
        "seconds a step": summary(found["step"]),
        "seeds alone / step": ratios(found, "seeds", "step"),
        "step without seeds / step": ratios(found, "without seeds", "step"),
    }


def _in_folder(part: Callable[[Path], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    def run() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            return part(Path(folder))

    return run


PARTS = {part.__name__: _in_folder(part) for part in (checkpoints, resuming, determinism)}

if __name__ == "__main__":
    keep("survival", "What it costs that a run cannot be lost", PARTS, ["torch", "timm", "numpy"])
