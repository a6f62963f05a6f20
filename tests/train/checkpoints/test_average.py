"""The best checkpoints and their mean."""

from pathlib import Path

import pytest
import torch
from torch import nn
from train_jobs import make_job

from comp.models.device import choose_device
from comp.models.networks import Net
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.average import mean_weights, measure_norms
from comp.train.loop import train_fold


def test_weights_are_averaged_and_counters_are_not(tmp_path: Path) -> None:
    for number in range(3):
        state = {"w": torch.full((2,), float(number)), "n": torch.tensor(number + 5)}
        checkpoint.save({"model": state}, tmp_path / f"{number}.pt")
    mean = mean_weights([tmp_path / f"{number}.pt" for number in (0, 1, 2)])
    assert torch.equal(mean["w"], torch.ones(2))
    assert mean["n"] == 5


def test_norms_are_measured_over_all_batches_and_nothing_else_changes() -> None:
    module = nn.Sequential(nn.BatchNorm2d(3, momentum=0.1), nn.Dropout(0.5), nn.Conv2d(3, 1, 1))
    net = Net(module, choose_device("fp32"), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    before = module[2].weight.clone()
    draws = torch.Generator().manual_seed(0)
    batches = [
        torch.randint(0, 256, (4, 5, 5, 3), dtype=torch.uint8, generator=draws) for _ in "ab"
    ]
    measure_norms(net, batches)
    values = torch.stack(batches).float() / 255
    torch.testing.assert_close(module[0].running_mean, values.mean(dim=(0, 1, 2, 3)))
    spread = values.flatten(1, 3).var(dim=1).mean(dim=0)
    torch.testing.assert_close(module[0].running_var, spread)
    assert (module[0].momentum, module.training, module[0].training) == (0.1, False, False)
    assert torch.equal(module[2].weight, before)


@pytest.mark.parametrize("ema", [None, 0.5])
def test_a_fold_ends_with_the_mean_of_its_best_epochs(tmp_path: Path, ema: float | None) -> None:
    job = make_job(tmp_path, train__top_k=2, train__epochs=4, train__ema=ema)
    manifest = train_fold(job)
    epochs = manifest["average"]["epochs"]
    assert [job.run.top(epoch).exists() for epoch in range(4)] == [n in epochs for n in range(4)]
    assert manifest["best"]["epoch"] in epochs
    tops = [checkpoint.load(job.run.top(epoch))["model"]["fc.weight"] for epoch in epochs]
    mean = checkpoint.load(job.run.average)["model"]["fc.weight"]
    torch.testing.assert_close(mean, (tops[0] + tops[1]) / 2)
    assert manifest["average"]["macro_f1"] >= 0


def test_one_checkpoint_makes_no_average(tmp_path: Path) -> None:
    job = make_job(tmp_path, train__epochs=1)
    assert train_fold(job)["average"] is None
    assert not list(tmp_path.glob("top_*"))
    assert not job.run.average.exists()
