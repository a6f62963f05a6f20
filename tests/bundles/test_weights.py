"""Weights as safetensors: the same bits, and halves where they fit."""

from __future__ import annotations

from pathlib import Path

import torch

from comp.bundles.weights import halved, save_weights, weights_of
from comp.models.weight_files import read_tensors


def test_the_same_tensors_come_back_also_those_that_share_memory(tmp_path: Path) -> None:
    one = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    given = {"a": one.to(memory_format=torch.channels_last), "b": one, "n": torch.tensor(7)}
    save_weights(tmp_path / "w.safetensors", given)
    back = read_tensors(tmp_path / "w.safetensors")
    assert {*back} == {*given}
    assert all(torch.equal(back[name], given[name]) for name in given)


def test_the_moving_average_predicts_where_there_is_one() -> None:
    model, ema = {"a": torch.zeros(1)}, {"a": torch.ones(1)}
    assert weights_of({"model": model, "ema": None}, 2.0)["a"] is model["a"]
    assert weights_of({"model": model, "ema": ema}, 2.0)["a"] is ema["a"]


def test_halves_are_floats_that_fit() -> None:
    found = halved({"a": torch.ones(2), "big": torch.tensor([1e6]), "n": torch.tensor(7)})
    assert {name: value.dtype for name, value in found.items()} == {
        "a": torch.float16,
        "big": torch.float32,
        "n": torch.int64,
    }
