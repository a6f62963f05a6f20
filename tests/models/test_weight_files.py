"""Weights are found in what other programs save, under whatever names."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from comp.core.errors import ModelError
from comp.models.weight_files import best_fit, read_tensors

PLACES = ("", "inner.encoder.")


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1))


OWN: dict[str, Tensor] = net().state_dict()


def named(outer: str, **more: Tensor) -> dict[str, Tensor]:
    return {**{outer + name: value + 1 for name, value in OWN.items()}, **more}


@pytest.mark.parametrize(
    "loaded",
    [
        named(""),
        named("module."),
        named("_orig_mod.module."),
        named("module._orig_mod.model.net."),
        named("model.", **{"criterion.weight": torch.ones(3), "loss.pos_weight": torch.ones(1)}),
        named("net.", n_averaged=torch.tensor(3)),
        named("ema.", **{f"model.{name}": value for name, value in OWN.items()}),
        named("my_classifier_of_cats."),
        named("a.b."),
    ],
    ids=lambda loaded: next(iter(loaded)),
)
def test_what_names_begin_with_is_taken_off_as_often_as_it_occurs(
    loaded: dict[str, Tensor],
) -> None:
    found = best_fit(loaded, OWN, PLACES)
    assert {*found} == {*OWN}
    assert all(torch.equal(found[name], OWN[name] + 1) for name in OWN)


def test_a_head_of_another_shape_is_left_out() -> None:
    found = best_fit(named("model.", **{"model.2.weight": torch.ones(9, 4, 1, 1)}), OWN, PLACES)
    assert {*OWN} - {*found} == {"2.weight"}


def test_weights_of_an_encoder_find_their_place() -> None:
    own = {f"inner.encoder.{name}": value for name, value in OWN.items()}
    assert {*best_fit(named("module."), own, PLACES)} == {*own}


def test_what_fits_in_vectors_alone_fits_nothing() -> None:
    assert best_fit({"x.bias": torch.ones(4), "0.bias": torch.ones(4)}, OWN, PLACES) == {}


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda t: t,
        lambda t: {"state_dict": t, "epoch": 3, "hyper_parameters": {"lr": 0.1}},
        lambda t: {"model": {"state_dict": t}},
        lambda t: {"model": OWN, "model_ema": t},
        lambda t: {"checkpoint": t},
        lambda t: {"model_state_dict": t, "optimizer_state_dict": {"state": {}}, "loss": 0.5},
        lambda t: {"ema": {"module": t}, "updates": 5, "model": OWN},
    ],
)
def test_tensors_are_found_in_what_they_are_wrapped_in(tmp_path: Path, wrapped: Any) -> None:
    torch.save(wrapped(named("")), tmp_path / "a.ckpt")
    found = read_tensors(tmp_path / "a.ckpt")
    assert {*found} == {*OWN}
    assert all(torch.equal(found[name], OWN[name] + 1) for name in OWN)


def test_a_file_of_more_than_tensors_comes_with_the_command_that_saves_the_tensors(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a b.pth"
    torch.save({"state_dict": OWN, "path": Path("x")}, path)
    with pytest.raises(ModelError, match="opening it runs what it holds") as caught:
        read_tensors(path)
    command = str(caught.value).rsplit("`", 2)[1]
    assert command.startswith("python -c ")
    subprocess.run([sys.executable, *shlex.split(command)[1:]], check=True)
    assert {*read_tensors(tmp_path / "a b.tensors.pt")} == {*OWN}


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"a": {}, "b": {}}, 5])
def test_a_file_without_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ModelError, match="not named tensors"):
        read_tensors(tmp_path / "a.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_a_file_holds_decides_how_it_is_read(tmp_path: Path, suffix: str) -> None:
    by_torch, by_safetensors = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    torch.save(OWN, by_torch)
    save_file(OWN, by_safetensors)
    for path in (by_torch, by_safetensors):
        found = read_tensors(path)
        assert found.keys() == OWN.keys()
        assert all(torch.equal(found[name], OWN[name]) for name in OWN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file: neither"),
        (b"<html>404</html>", "is no file of weights: neither"),
        (b"PK\x03\x04cut", "It may be cut or damaged: fetch it again"),
    ],
)
def test_a_file_that_is_no_weights_is_not_advised_to_be_run(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        read_tensors(path)
    assert "weights_only" not in str(caught.value)


def test_a_folder_is_no_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a folder; name the file in it"):
        read_tensors(tmp_path)


def test_a_file_of_two_networks_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    two = {**named("student."), **{n: v + 1 for n, v in named("teacher.").items()}}
    found = best_fit(two, OWN, PLACES)
    assert len(found) == len(OWN)
    assert "names that begin with 'student.' are taken, not 'teacher.'" in capsys.readouterr().err
    best_fit({**named("a."), **named("b.")}, OWN, PLACES)  # equal ones are one
    assert capsys.readouterr().err == ""
