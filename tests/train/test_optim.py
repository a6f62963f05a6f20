import pytest
import torch

from comp.config import TrainConfig
from comp.errors import ConfigError
from comp.train.optim import SCHEDULES, make_optimizer, make_schedule


def rates(config: TrainConfig, steps: int = 4) -> list[float]:
    """The learning rate before each update."""
    optimizer = make_optimizer(torch.nn.Linear(2, 2), config)
    schedule = make_schedule(optimizer, config, steps)
    out = []
    for update in range(config.epochs * steps):
        out.append(optimizer.param_groups[0]["lr"])
        schedule.step_update(update + 1)
    return out


def test_cosine_falls_from_the_rate_to_nothing_after_a_warm_up() -> None:
    found = rates(TrainConfig(epochs=5, lr=1.0, warmup_epochs=1))
    assert found[0] == pytest.approx(0.01)
    assert found[:4] == sorted(found[:4])
    assert found[4:] == sorted(found[4:], reverse=True)
    assert max(found) <= 1.0
    assert found[-1] < 0.02


def test_step_multiplies_the_rate_every_so_many_epochs() -> None:
    config = TrainConfig(epochs=4, lr=1.0, sched="step", decay_epochs=2, decay_rate=0.5)
    assert rates(config) == [1.0] * 8 + [0.5] * 8


def test_a_constant_rate_stays() -> None:
    assert rates(TrainConfig(epochs=2, lr=0.3, sched="constant")) == [0.3] * 8


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_a_function_of_the_updates_made(name: str) -> None:
    config = TrainConfig(epochs=3, lr=1.0, sched=name)
    whole = rates(config)
    optimizer = make_optimizer(torch.nn.Linear(2, 2), config)
    make_schedule(optimizer, config, 4).step_update(5)
    assert optimizer.param_groups[0]["lr"] == whole[5]


def test_biases_and_norms_are_not_decayed() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    groups = make_optimizer(module, TrainConfig(weight_decay=0.1)).param_groups
    assert {g["weight_decay"]: sorted(p.dim() for p in g["params"]) for g in groups} == {
        0.0: [1, 1, 1],
        0.1: [4],
    }


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'adamw'"):
        make_optimizer(torch.nn.Linear(2, 2), TrainConfig(opt="adamww"))
    optimizer = make_optimizer(torch.nn.Linear(2, 2), TrainConfig())
    with pytest.raises(ConfigError, match=r"unknown train\.sched 'cosin'"):
        make_schedule(optimizer, TrainConfig(sched="cosin"), 4)
