import copy
from collections.abc import Sequence

import pytest
import timm
import torch

from comp.config.schema import TrainConfig
from comp.core.errors import ConfigError
from comp.train.optim import SCHEDULES, load_optimizer, make_optimizer, make_schedule

MORE = {"multistep": {"milestones": (1, 2)}, "plateau": {"decay_epochs": 1}}


def rates(
    config: TrainConfig, steps: int = 4, scores: Sequence[float] = (), rising: bool = True
) -> list[float]:
    """The learning rate before each update."""
    optimizer = make_optimizer(torch.nn.Linear(2, 2), config)
    schedule = make_schedule(optimizer, config, steps, rising=rising)
    out = []
    for update in range(config.epochs * steps):
        out.append(optimizer.param_groups[0]["lr"])
        schedule.step_update(update + 1)
        if (update + 1) % steps == 0:
            epoch = (update + 1) // steps
            schedule.step(epoch, scores[epoch - 1] if scores else 0.0)
    return out


def test_cosine_falls_from_the_rate_to_nothing_after_a_warm_up() -> None:
    found = rates(TrainConfig(epochs=5, lr=1.0, sched="cosine", warmup_epochs=1))
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


@pytest.mark.parametrize("by", ["update", "epoch"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_is_taken_up_again_goes_on_as_it_would_have(name: str, by: str) -> None:
    config = TrainConfig(epochs=4, lr=1.0, sched=name, sched_by=by, **MORE.get(name, {}))
    scores = [0.1, 0.3, 0.2, 0.2]
    whole = rates(config, scores=scores)
    optimizer = make_optimizer(torch.nn.Linear(2, 2), config)
    schedule = make_schedule(optimizer, config, 4)
    found = []
    for update in range(16):
        found.append(optimizer.param_groups[0]["lr"])
        schedule.step_update(update + 1)
        if update % 4 == 3:
            schedule.step(update // 4 + 1, scores[update // 4])
        kept = optimizer.state_dict(), schedule.state_dict()
        optimizer = make_optimizer(torch.nn.Linear(2, 2), config)
        schedule = make_schedule(optimizer, config, 4)
        optimizer.load_state_dict(kept[0])
        schedule.load_state_dict(kept[1])
    assert found == whole


@pytest.mark.parametrize("name", sorted(set(SCHEDULES) - {"plateau"}))
def test_by_epoch_the_rate_stays_within_an_epoch(name: str) -> None:
    config = TrainConfig(epochs=4, lr=1.0, sched=name, sched_by="epoch", **MORE.get(name, {}))
    found = rates(config)
    assert [found[start : start + 4] for start in range(0, 16, 4)] == [[r] * 4 for r in found[::4]]
    assert (len(set(found)) == 1) == (name in ("constant", "step"))


@pytest.mark.parametrize("by", ["update", "epoch"])
def test_milestones_are_the_epochs_after_which_the_rate_falls(by: str) -> None:
    config = TrainConfig(
        epochs=4, lr=1.0, sched="multistep", milestones=(1, 3), decay_rate=0.5, sched_by=by
    )
    assert rates(config) == [1.0] * 4 + [0.5] * 8 + [0.25] * 4


def test_restarts_rise_to_the_full_rate_in_each_cycle() -> None:
    found = rates(TrainConfig(epochs=6, lr=1.0, sched="restarts", cycles=3, min_lr=0.01))
    assert [found[start] for start in (0, 8, 16)] == pytest.approx([1.0] * 3)
    assert found[:8] == sorted(found[:8], reverse=True)
    assert found[7] < 0.1


def test_one_cycle_is_that_of_torch_with_its_momentum() -> None:
    config = TrainConfig(epochs=3, lr=0.5, sched="onecycle", opt="sgd", weight_decay=0.0)
    found = rates(config, steps=10)
    twin = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.5, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(twin, max_lr=0.5, total_steps=31)
    want = []
    for _ in range(30):
        want.append(twin.param_groups[0]["lr"])
        twin.step()
        theirs.step()
    assert found == pytest.approx(want)
    assert found.index(max(found)) == 9  # 30 % of the way


def test_plateau_lowers_the_rate_where_the_score_no_longer_gets_better() -> None:
    config = TrainConfig(epochs=6, lr=1.0, sched="plateau", decay_epochs=2, decay_rate=0.5)
    falls = [0.1, 0.2, 0.2, 0.1, 0.1, float("nan")]
    assert rates(config, 1, falls) == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]
    assert rates(config, 1, [0.3, 0.2, 0.1, 0.0, -0.1, -0.2], rising=False) == [1.0] * 6
    warm = TrainConfig(epochs=6, lr=1.0, sched="plateau", warmup_epochs=2)
    assert rates(warm, 2)[:5] == pytest.approx([0.01, 0.2575, 0.505, 0.7525, 1.0])


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Linear(2, 3)
        self.head = torch.nn.Linear(3, 2)


@pytest.mark.parametrize("sched", ["cosine", "onecycle", "plateau"])
def test_the_head_learns_at_a_rate_of_its_own(sched: str) -> None:
    module = Small()
    config = TrainConfig(epochs=2, lr=1e-3, head_lr=1e-2, weight_decay=0.1, sched=sched)
    optimizer = make_optimizer(module, config, module.head)
    schedule = make_schedule(optimizer, config, 10)
    for updates in (0, 3, 9):
        schedule.step_update(updates)
        rate = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
        assert len(rate) == 4
        for own, other in zip(module.head.parameters(), module.body.parameters(), strict=True):
            assert rate[id(own)] == pytest.approx(10 * rate[id(other)])
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.0, 0.1}


def test_lower_layers_learn_more_slowly() -> None:
    module = timm.create_model("test_resnet", num_classes=2)
    config = TrainConfig(layer_decay=0.5, head_lr=3e-3, lr=1e-3, sched="constant")
    optimizer = make_optimizer(module, config, module.get_classifier())
    make_schedule(optimizer, config, 4)
    rate = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert rate[id(module.fc.weight)] == pytest.approx(3e-3)
    assert rate[id(module.conv1[0].weight)] < rate[id(module.layer4[0].conv1.weight)] < 1e-3


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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adahessian", "needs second derivatives"),
        ("bnbadamw8bit", "is for CUDA; on cpu use train.opt: adamw"),
        ("fusedlamb", "is for CUDA; on cpu use train.opt: lamb"),
    ],
)
def test_an_optimizer_that_cannot_be_had_here_is_told(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"train.opt: {name} {message}"):
        make_optimizer(torch.nn.Linear(2, 2), TrainConfig(opt=name))


@pytest.mark.parametrize("name", ["muon", "adafactor", "lion", "lamb", "adopt"])
def test_optimizers_with_other_states_go_on_from_them(name: str) -> None:
    """Two steps, and one step, saved, and one step: the same weights."""

    def steps(module: torch.nn.Module, optimizer: torch.optim.Optimizer, batches: range) -> None:
        for number in batches:
            draw = torch.Generator().manual_seed(number)
            torch.manual_seed(number)
            optimizer.zero_grad()
            module(torch.randn((4, 3, 6, 6), generator=draw)).square().mean().backward()
            optimizer.step()

    def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        conv = torch.nn.Conv2d(3, 4, 3)
        module = torch.nn.Sequential(conv, torch.nn.Flatten(), torch.nn.Linear(64, 2))
        return module, make_optimizer(module, TrainConfig(opt=name, lr=0.01))

    whole, optimizer = make()
    steps(whole, optimizer, range(3))
    first, optimizer = make()
    steps(first, optimizer, range(2))
    second, fresh = make()
    second.load_state_dict(first.state_dict())
    load_optimizer(fresh, copy.deepcopy(optimizer.state_dict()))
    steps(second, fresh, range(2, 3))
    for one, two in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)
