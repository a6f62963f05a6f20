"""Which devices `--devices` names, and what their processes see."""

from __future__ import annotations

import pytest
import torch

from comp.core.errors import ConfigError, UsageError
from comp.stages.runners.slots import Slot, parse_devices


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two CUDA devices."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("text", "labels", "seen"),
    [
        ("0,1", ["cuda:0", "cuda:1"], ["0", "1"]),
        ("auto", ["cuda:0", "cuda:1"], ["0", "1"]),
        ("cuda:1", ["cuda:1"], ["1"]),
        ("1, 1", ["cuda:1 #1", "cuda:1 #2"], ["1", "1"]),
        ("cpu,cpu", ["cpu #1", "cpu #2"], ["", ""]),
        ("0,cpu", ["cuda:0", "cpu"], ["0", ""]),
    ],
)
def test_each_process_sees_its_device_only(
    cards: None, text: str, labels: list[str], seen: list[str]
) -> None:
    slots = parse_devices(text, "auto")
    assert [slot.label for slot in slots] == labels
    assert [slot.environ["CUDA_VISIBLE_DEVICES"] for slot in slots] == seen


def test_numbers_count_among_the_devices_that_this_process_may_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5b")
    assert Slot("cuda:1", 1).environ == {"CUDA_VISIBLE_DEVICES": "GPU-5b"}


def test_auto_without_a_card_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert parse_devices("auto", "auto") == [Slot("cpu", None)]


def test_what_is_no_device_is_told(cards: None) -> None:
    with pytest.raises(UsageError, match=r"--devices 0,gpu: 'gpu' is no device; write numbers"):
        parse_devices("0,gpu", "auto")
    with pytest.raises(ConfigError, match=r"there is no CUDA device 2; torch .* sees 2"):
        parse_devices("0,2", "auto")


@pytest.mark.parametrize(("where", "text"), [("cuda:1", "0,1"), ("cpu", "0"), ("cuda", "cpu")])
def test_a_device_in_the_config_is_refused_where_all_would_use_it(
    cards: None, where: str, text: str
) -> None:
    with pytest.raises(ConfigError, match=f"train.device is {where}, which these processes"):
        parse_devices(text, where)


def test_a_kind_of_device_in_the_config_goes_with_such_devices(cards: None) -> None:
    assert len(parse_devices("0,1", "cuda")) == len(parse_devices("cpu,cpu", "cpu")) == 2
