"""What training keeps in memory beside the weights: optimizers, and gradient checkpointing.

    python benchmarks/memory.py

The state of an optimizer is the bytes of all tensors that it has after two steps, over those of the
weights (ResNet-18; the same for all networks but for the rank of their layers). What is kept for
the gradient is the bytes that torch saves in a forward pass of 8 images in training mode, by
`saved_tensors_hooks`, each storage once. Both are counts, which no other work disturbs; the time of
a step is the median of the ratios of rounds one after another. Results go to memory.json and
memory.md beside this file.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import timm
import timm.optim
import torch
from measure import about, asked, interleaved
from torch import nn

from comp.config.schema import TrainConfig
from comp.core.errors import ConfigError
from comp.models.recompute import recompute
from comp.train.optim import make_optimizer

HERE = Path(__file__).parent
SIZE, ROUNDS = 128, 3
LARGE = ("kron", "kronc", "kronw")  # their factors take GiB, and compile for minutes
NETWORKS = ("resnet50", "efficientnet_b0", "convnext_tiny", "vit_small_patch16_224")


def step(module: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor) -> None:
    """One update of any loss."""
    optimizer.zero_grad()
    module(images).square().mean().backward()
    optimizer.step()


def tensors(state: Any) -> int:
    """Bytes of all tensors in a state."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(tensors(value) for value in state.values())
    if isinstance(state, (list, tuple)):
        return sum(tensors(value) for value in state)
    return 0


def optimizers() -> list[dict[str, Any]]:
    """Bytes of state over bytes of weights, of each optimizer that can be had here."""
    images = torch.rand(2, 3, 64, 64)
    out = []
    for name in timm.optim.list_optimizers():
        if name in LARGE or (name.startswith("c") and name[1:] in timm.optim.list_optimizers()):
            continue  # cautious variants keep what the plain ones keep
        torch.manual_seed(0)
        module = timm.create_model("resnet18", num_classes=10)
        weights = tensors([*module.parameters()])
        try:
            optimizer = make_optimizer(module, TrainConfig(opt=name, lr=1e-4))
        except ConfigError as problem:
            out.append({"optimizer": name, "state": None, "why": str(problem)})
            continue
        for _ in range(2):
            step(module, optimizer, images)
        state = tensors(optimizer.state_dict()["state"]) / weights
        out.append({"optimizer": name, "state": round(state, 2), "why": ""})
        print(out[-1], flush=True)
    return out


def kept(module: nn.Module, images: torch.Tensor) -> int:
    """Bytes that a forward pass keeps for the gradient, without weights; each storage once."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    found: dict[int, int] = {}
    alive = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no address is used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        module(images)
    return sum(found.values())


def checkpointing() -> list[dict[str, Any]]:
    """MB kept for the gradient, and the time of a step, without it and with it."""
    out = []
    for name in NETWORKS:
        size = 224 if "224" in name else SIZE
        images = torch.rand(8, 3, size, size)
        works: dict[str, Callable[[], None]] = {}
        megabytes = {}
        for how in ("plain", "again"):
            torch.manual_seed(0)
            module = timm.create_model(name, num_classes=10)
            if how == "again":
                recompute(module, name)
            optimizer = make_optimizer(module, TrainConfig(lr=1e-4))
            megabytes[how] = kept(module, images) / 2**20
            works[how] = lambda m=module, o=optimizer, x=images: step(m, o, x)
        seconds = interleaved(works, ROUNDS)
        ratio = np.median([b / a for a, b in zip(seconds["plain"], seconds["again"], strict=True)])
        row = {"network": name, "px": size, **{k: round(v) for k, v in megabytes.items()}}
        out.append({**row, "time": round(float(ratio), 2)})
        print(out[-1], flush=True)
    return out


def main() -> None:
    """Measure, then write the two files."""
    warnings.filterwarnings("ignore")
    networks, found = checkpointing(), optimizers()
    lines = [
        "Gradient checkpointing (`train.grad_checkpointing`), 8 images, float32:",
        "",
        "| network | px | kept, MB | kept with it, MB | share | time of a step |",
        "|---|---|---|---|---|---|",
    ]
    for row in networks:
        share = row["again"] / row["plain"]
        lines.append(
            f"| {row['network']} | {row['px']} | {row['plain']} | {row['again']} | {share:.0%} | "
            f"x {row['time']} |"
        )
    lines += [
        "",
        "State of the optimizers of timm (`train.opt`), over the bytes of the weights:",
        "",
    ]
    lines += ["| state | optimizers |", "|---|---|"]
    for size in sorted({row["state"] for row in found if row["state"] is not None}):
        names = [f"`{row['optimizer']}`" for row in found if row["state"] == size]
        lines.append(f"| {size} | {', '.join(names)} |")
    names = [f"`{row['optimizer']}`" for row in found if row["state"] is None]
    lines += [
        "",
        "Cautious variants (`cadamw`, ...) keep what the plain ones keep; `kron` was left ",
    ]
    lines[-1] += "left out: its factors took more than 10 GiB here."
    lines += ["", f"Not to be had on this machine: {', '.join(names)}. By their authors the 8-bit "]
    lines[-1] += "states of bitsandbytes take a quarter of the float32 ones; not measured here."
    head = about(("torch", "timm"))
    results = {**head, "checkpointing": networks, "optimizers": found}
    (HERE / "memory.json").write_text(json.dumps(results, indent=1) + "\n")
    title = ["# What training keeps in memory", "", f"{head['machine']}, one thread.", ""]
    (HERE / "memory.md").write_text("\n".join([*title, *lines, ""]))


if __name__ == "__main__":
    asked("memory", "What training keeps in memory")
    main()
