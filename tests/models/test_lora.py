"""LoRA: only the matrices and the head learn; what predicts is the same network without them."""

from __future__ import annotations

import importlib.util
import signal
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from comp.core.errors import Interrupted, ModelError
from comp.models.freezing import set_training_mode
from comp.models.heads import head_of
from comp.models.lora import add_lora, freeze_to_lora, has_lora, merged
from comp.train.optim import make_optimizer

NAME, SIZE = "test_vit", 160
peft = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="peft is not installed")


@peft
def test_matrices_learn_beside_frozen_weights_and_are_added_for_predictions() -> None:
    from comp.config.schema import TrainConfig

    torch.manual_seed(0)
    module = timm.create_model(NAME, num_classes=3)
    plain = deepcopy(module).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    add_lora(module, NAME, 4, 3.0, SIZE)
    freeze_to_lora(module)
    assert has_lora(module)
    assert not has_lora(plain)
    with torch.no_grad():
        assert torch.allclose(module.eval()(images), plain(images), atol=1e-6), "it begins so"
    optimizer = make_optimizer(module, TrainConfig(lr=0.01))
    for _ in range(3):
        set_training_mode(module, head_only=False)
        optimizer.zero_grad()
        (module(images) - torch.tensor([1.0, 0.0, -1.0])).square().mean().backward()
        optimizer.step()
    state = merged(module.state_dict(), 3.0)
    assert state.keys() == before.keys()
    learned = {name for name, value in state.items() if not torch.equal(value, before[name])}
    linear = {name for name in before if name.endswith((".qkv.weight", ".fc1.weight"))}
    head = {f"head.{name}" for name, _ in head_of(plain).named_parameters()}
    assert linear | head <= learned
    assert not {name for name in learned if "norm" in name or "embed" in name}
    plain.load_state_dict(state)
    with torch.no_grad():
        assert torch.allclose(module.eval()(images), plain(images), atol=1e-5)
    few = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert few < 0.3 * sum(p.numel() for p in plain.parameters())


@peft
def test_a_frozen_epoch_trains_the_head_alone() -> None:
    module = timm.create_model(NAME, num_classes=3)
    add_lora(module, NAME, 4, 2.0, SIZE)
    set_training_mode(module, head_only=True)
    learns = {name for name, p in module.named_parameters() if p.requires_grad}
    assert learns == {"head.weight", "head.bias"}
    set_training_mode(module, head_only=False)
    assert {name for name, p in module.named_parameters() if p.requires_grad} > learns


@peft
def test_a_network_without_linear_layers_is_told() -> None:
    with pytest.raises(ModelError, match=r"test_resnet has no linear layers before its head"):
        add_lora(timm.create_model("test_resnet", num_classes=3), "test_resnet", 4, 2.0, 32)


@peft
def test_a_size_that_the_network_does_not_take_is_told() -> None:
    module = timm.create_model(NAME, num_classes=3)
    with pytest.raises(ModelError, match=r"does not take images of 150 px .*image\.size"):
        add_lora(module, NAME, 4, 2.0, 150)


def test_a_state_without_matrices_stays() -> None:
    state = {"fc.weight": torch.ones(2, 2), "n": torch.tensor(3)}
    assert merged(state, 2.0) == state


def test_without_peft_the_line_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'comp\[lora\]'"):
        add_lora(torch.nn.Linear(1, 1), "x", 4, 2.0, 32)


@peft
def test_a_fold_ends_the_same_when_it_was_stopped_and_predicts_without_matrices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train_jobs import make_job

    from comp.bundles.weights import weights_of
    from comp.inference.predict import net_of
    from comp.train import loop
    from comp.train.checkpoints import checkpoint
    from comp.train.loop import train_fold
    from comp.train.stop import Stop

    monkeypatch.setattr("train_jobs.SIZE", 32)
    over: dict[str, Any] = {"model__name": "test_vit", "model__lora": 2, "image__size": 32}
    over |= {"train__epochs": 2, "train__ema": 0.5}
    whole = make_job(tmp_path / "whole", **over)
    train_fold(whole)
    stop, original, steps = Stop(), loop.update, count(1)

    def stopping(*parts: Any) -> None:
        original(*parts)
        if next(steps) == 2:
            stop.signal = signal.SIGTERM

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop, "update", stopping)
        train_fold(make_job(tmp_path / "broken", stop=stop, **over))
    train_fold(make_job(tmp_path / "broken", **over))
    first, second = (checkpoint.load(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert any(".lora_A." in name for name in first["model"])
    for key, value in first["model"].items():
        assert torch.equal(value, second["model"][key])
    net = net_of(first, whole.config, whole.task, whole.device)
    assert not has_lora(net.module)
    state = net.module.state_dict()
    for name, value in weights_of(first, whole.config.model.lora_scale).items():
        assert torch.equal(value, state[name])
