import pytest
import torch

from comp.core import rng
from comp.core.rng import derive, generator, seed_torch


def test_a_draw_is_a_function_of_its_parts_alone() -> None:
    first = generator(42, "order", 0, 3).permutation(10).tolist()
    generator(42, "order", 0, 4).random(100)
    assert generator(42, "order", 0, 3).permutation(10).tolist() == first


def test_neighbouring_parts_give_other_draws() -> None:
    parts = [
        (42, "a", 0, 11),
        (42, "a", 1, 1),
        (42, "a", 11, 0),
        (42, "b", 0, 11),
        (4, "2a", 0, 11),
    ]
    assert len({derive(*p) for p in parts}) == len(parts)
    assert derive(1, "2") != derive("1", 2)


def test_draws_do_not_change_between_versions() -> None:
    assert derive(42, "order", 0, 0) == 7729392732318655344


def test_torch_draws_follow_too() -> None:
    seed_torch(1, "step", 2)
    once = torch.rand(3)
    torch.rand(5)
    seed_torch(1, "step", 2)
    assert torch.equal(torch.rand(3), once)


def test_every_device_is_seeded_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    for found in (False, True):
        monkeypatch.setattr(rng, "_has_devices", lambda found=found: found)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "manual_seed", seeds.append)
            seed_torch(1, "step", 2)
    assert seeds == [derive(1, "step", 2)]
