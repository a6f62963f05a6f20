"""Which device and which precision a forward pass runs in."""

import pytest
import torch

from comp.core.errors import ConfigError
from comp.models.device import choose_device


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without CUDA")
def test_fp16_without_cuda_is_refused() -> None:
    with pytest.raises(ConfigError, match="fp16 needs CUDA"):
        choose_device("fp16")


def test_auto_on_a_cpu_is_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    device = choose_device()
    assert (device.precision, device.dtype, device.scaled) == ("fp32", None, False)
    assert device.describe() == f"cpu ({torch.get_num_threads()} threads), fp32"


@pytest.mark.parametrize(
    ("capability", "precision", "scaled"),
    [
        ((9, 0), "bf16", False),
        ((8, 0), "bf16", False),
        ((7, 5), "fp16", True),
        ((6, 1), "fp32", False),
    ],
)
def test_auto_on_cuda_is_the_fastest_safe_precision(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str, scaled: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Card")
    device = choose_device()
    assert (device.torch_device.type, device.precision, device.scaled) == (
        "cuda",
        precision,
        scaled,
    )
    assert device.describe() == f"Card, {precision}"


def test_half_precision_is_that_of_the_forward_pass_only() -> None:
    weights = torch.ones(4, 4)
    with choose_device("bf16").autocast():
        assert (weights @ weights).dtype == torch.bfloat16
    with choose_device("fp32").autocast():
        assert (weights @ weights).dtype == torch.float32
    assert weights.dtype == torch.float32


def test_a_deterministic_device_allows_no_other_algorithms() -> None:
    choose_device("fp32", deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "highest"
    choose_device("fp32")
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "high"
