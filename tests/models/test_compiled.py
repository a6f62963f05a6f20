"""A compiled network is the same network, and one that cannot be compiled goes on without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cards import Card
from torch import nn
from train_jobs import make_job

from comp.models.compiled import Compiled, wants_compile
from comp.models.device import Device
from comp.train.train_state import new_state
from comp.train.update import settle, update

CPU = Device(torch.device("cpu"), "fp32", None, scaled=False)


@pytest.mark.parametrize(
    ("choice", "deterministic", "wanted"),
    [("on", False, True), ("on", True, False), ("off", False, False), ("auto", False, False)],
)
def test_what_train_compile_means(choice: str, deterministic: bool, wanted: bool) -> None:
    assert wants_compile(choice, CPU, deterministic=deterministic) is wanted


def test_names_and_weights_are_those_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler, which takes a minute, is left out."""
    called: list[int] = []

    def compiled(module: nn.Module, **_: Any) -> Any:
        return lambda images: (called.append(len(images)), module(images))[1]

    monkeypatch.setattr(torch, "compile", compiled)
    ends = []
    for choice in ("on", "off"):
        job = make_job(tmp_path, train__compile=choice, train__ema=0.9)
        state = new_state(job, 10, 8)
        images = torch.zeros((8, 24, 24, 3), dtype=torch.uint8)
        update(job, state, images, torch.arange(8) % 3)
        settle(job, state)
        assert state.eval_net.fast is None
        ends.append(state.net.module.state_dict())
    assert called == [8]
    assert [*ends[0]] == [*ends[1]]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_network_that_cannot_be_compiled_goes_on_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def compiled(module: nn.Module, **_: Any) -> Any:
        def fail(_: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no C++ compiler")

        return fail

    monkeypatch.setattr(torch, "compile", compiled)
    fast = Compiled(nn.Identity())
    assert [fast(torch.ones(1)).item() for _ in range(2)] == [1.0, 1.0]
    said = capsys.readouterr().err
    assert said.count("not possible with this network here (no C++ compiler); going on") == 1


def test_memory_that_is_full_is_no_failure_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda module, **_: full)
    fast = Compiled(nn.Identity())
    with pytest.raises(torch.OutOfMemoryError):
        fast(torch.ones(1))
    assert fast.fast is not None


@pytest.mark.filterwarnings("ignore")  # of the compiler
def test_a_card_compiles_and_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no card, nothing is compiled: torch, tracing a network on a played card, would
    take the meta device for another one ever after."""
    if not card.real:
        monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    images = torch.randint(0, 256, (8, 24, 24, 3), dtype=torch.uint8)
    losses = {}
    for choice in ("on", "off"):
        over = {"train__compile": choice, "train__ema": 0.9, "model__drop_rate": 0.0}
        job = make_job(tmp_path / choice, device=card.device(), **over)
        state = new_state(job, 10, 4)
        state.net.module.train()
        for state.step in range(4):
            update(job, state, images, torch.arange(8) % 3)
            settle(job, state)
        assert state.updates == 4
        losses[choice] = float(state.loss_sum[0])
        if choice == "on":
            assert isinstance(state.net.fast, Compiled)
            assert state.net.fast.fast is not None
    assert losses["on"] == pytest.approx(losses["off"], rel=0.02)  # TF32 on a card
    assert "not possible" not in capsys.readouterr().err
