"""Which device and which precision a forward pass runs in."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch._dynamo  # its first import asks torch.backends, which tests here replace
from toys import toy_tree

from comp.config.loading import make_config
from comp.core.errors import ConfigError
from comp.models import device as device_module
from comp.models.device import Device, choose_device, is_oom, send


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


class Card:
    """Stands for CUDA devices: what torch says about them."""

    name, memory = "Card", 16 << 30

    def __init__(self, patch: pytest.MonkeyPatch, capability: tuple[int, int], built: str) -> None:
        self.chosen: list[torch.device] = []
        for name, value in {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "get_device_capability": lambda _: capability,
            "get_device_name": lambda _: self.name,
            "get_device_properties": lambda _: SimpleNamespace(total_memory=self.memory),
            "get_arch_list": built.split,
            "set_device": self.chosen.append,
        }.items():
            patch.setattr(torch.cuda, name, value)


BUILT = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"


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
    Card(monkeypatch, capability, BUILT + " sm_60")
    device = choose_device()
    assert (device.torch_device.type, device.precision, device.scaled) == (
        "cuda",
        precision,
        scaled,
    )
    assert device.describe() == f"Card, {precision}"
    assert device.details() == f"Card, 16 GiB, {precision}, TF32 products"


@pytest.mark.parametrize(
    ("capability", "built", "fits"),
    [
        ((7, 0), BUILT, False),  # V100
        ((6, 0), BUILT, False),  # P100
        ((7, 5), BUILT, True),
        ((8, 9), BUILT, True),  # code of 8.6 runs on 8.9
        ((12, 1), BUILT, True),
        ((13, 0), BUILT, True),  # compiled for it from compute_120
        ((13, 0), "sm_90 sm_120", False),
        ((8, 0), "sm_86", False),
        ((9, 0), "gfx90a gfx942", True),  # ROCm has names of its own
    ],
)
def test_a_card_that_torch_was_not_built_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built: str, fits: bool
) -> None:
    Card(monkeypatch, capability, built)
    if fits:
        assert choose_device().cuda
        return
    major, minor = capability
    with pytest.raises(ConfigError, match=rf"Card has compute capability {major}\.{minor}; this"):
        choose_device()
    assert choose_device(where="cpu").torch_device.type == "cpu"


def test_train_device_chooses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(monkeypatch, (8, 0), BUILT)
    assert choose_device(where="cuda:1").torch_device == torch.device("cuda:1")
    assert card.chosen == [torch.device("cuda:1")]
    assert choose_device(where="cpu").torch_device == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device(where="auto").torch_device == torch.device("cuda")
    assert choose_device(where="mps").torch_device == torch.device("mps")
    with pytest.raises(ConfigError, match=r"train.device: cuda:2 is not there; .* 2 cuda devices"):
        choose_device(where="cuda:2")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("cuda", "cuda:1"):
        with pytest.raises(ConfigError, match=rf"train.device: {name} is not there"):
            choose_device(where=name)
    with pytest.raises(ConfigError, match=r"train.device"):
        make_config(toy_tree("binary", train__device="gpu"))


def test_an_nvidia_device_that_torch_cannot_use_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(device_module, "_nvidia_device", lambda: True)
    monkeypatch.setattr(device_module, "_why_no_cuda", lambda: "the driver is too old")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(ConfigError, match=r"cannot use it \(the driver is too old\).*device: cpu"):
        choose_device()
    assert choose_device(where="cpu").torch_device.type == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hidden by the user
    assert choose_device().torch_device.type == "cpu"


def test_bf16_without_hardware_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Card(monkeypatch, (7, 5), BUILT)
    choose_device("bf16")
    assert "bf16 is slow on Card, which has no hardware for it" in capsys.readouterr().err
    Card(monkeypatch, (8, 0), BUILT)
    choose_device("bf16")
    assert capsys.readouterr().err == ""


def test_images_of_many_shapes_need_no_search_for_each() -> None:
    choose_device("fp32", one_shape=False)
    assert not torch.backends.cudnn.benchmark
    choose_device("fp32")
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    ("problem", "full"),
    [
        (torch.OutOfMemoryError("full"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_full_device_is_known_by_its_words(problem: Exception, full: bool) -> None:
    assert is_oom(problem) is full


def test_only_cuda_copies_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def to(self: torch.Tensor, device: torch.device, **more: Any) -> torch.Tensor:
        told.append((device.type, more))
        return self

    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: told.append("pinned") or self)
    for kind in ("mps", "cuda"):
        send(torch.zeros(1), torch.device(kind))
    assert told == [("mps", {}), "pinned", ("cuda", {"non_blocking": True})]


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
    assert not torch.backends.cudnn.allow_tf32
    choose_device("fp32")
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32


def test_what_is_fetched_from_cuda_is_waited_for_when_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dry, with an event that notes what it is told."""
    told: list[str] = []

    class Event:
        def record(self) -> None:
            told.append("record")

        def synchronize(self) -> None:
            told.append("wait")

    real = torch.empty
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, pin_memory: real(shape, dtype=dtype))
    for kind in ("cpu", "cuda"):
        device = Device(torch.device(kind), "fp32", None, scaled=False)
        coming = device.fetch(torch.arange(3))
        told.append("work")
        assert coming().tolist() == [0, 1, 2]
    assert told == ["work", "record", "work", "wait"]
