from functools import partial

import numpy as np
import pytest

from comp.core import rng
from comp.data.cache.bag_store import BagImages
from comp.data.loader.bag_target import SAMPLES, BagSampling, BagTarget
from comp.data.loader.loader import train_loader
from comp.data.loader.recipes import make_recipe

# Image n of the store is of brightness n, so that what was seen can be read off
PIXELS = np.broadcast_to(np.arange(60, dtype=np.uint8)[:, None, None, None], (60, 8, 8, 3)).copy()
BAGS = [tuple(range(start, start + 1 + start * 3 // 5 % 5)) for start in range(0, 50, 5)]
TARGET = np.arange(10) % 2


def draws(sample: str, count: int, size: int) -> list[list[int]]:
    found = [SAMPLES[sample](count, size, np.random.default_rng(n)) for n in range(600)]
    return [places.tolist() for places in found]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(("count", "size"), [(1, 4), (3, 4), (4, 4), (5, 4), (40, 4), (40, 1)])
def test_places_rise_and_come_as_often_as_each_other(sample: str, count: int, size: int) -> None:
    seen = draws(sample, count, size)
    for places in seen:
        assert len(places) == size
        assert places == sorted(places)
        often = np.bincount(places, minlength=count)
        assert often.max() - often.min() <= 1
    assert {n for places in seen for n in places} == {*range(count)}  # none is never seen


def test_even_places_are_evenly_spaced_and_windows_have_no_gap() -> None:
    assert {tuple(np.diff(p)) for p in draws("even", 40, 4)} == {(10, 10, 10)}
    assert {tuple(np.diff(p)) for p in draws("window", 40, 4)} == {(1, 1, 1)}
    assert len({tuple(np.diff(p)) for p in draws("random", 40, 4)}) > 50


def loader(workers: int, recipe: str = "none", *, alike: bool = False):
    return train_loader(
        BagImages(PIXELS, BAGS),
        np.arange(10),
        TARGET,
        make_recipe(recipe, 8),
        seed=3,
        fold=1,
        batch_size=4,
        workers=workers,
        bag=BagSampling(3, "random", alike),
    )


def test_a_batch_holds_some_images_of_each_bag() -> None:
    seen = []
    for images, target in loader(0).epoch(0):
        assert images.shape[1:] == (3, 8, 8, 3)
        for one, label in zip(images.numpy(), target.tolist(), strict=True):
            numbers = one[:, 0, 0, 0].tolist()
            (bag,) = [n for n, own in enumerate(BAGS) if numbers[0] in own]
            assert {*numbers} <= {*BAGS[bag]}
            assert TARGET[bag] == label
            seen.append(bag)
    assert sorted(seen) == [*range(10)]


def test_what_is_seen_follows_from_seed_fold_epoch_and_position() -> None:
    def seen(epoch: int, first: int = 0) -> list[bytes]:
        return [images.numpy().tobytes() for images, _ in made.epoch(epoch, first)]

    made = loader(0, "light")
    assert seen(0) == seen(0) != seen(1)
    assert seen(2, 1) == seen(2)[1:]


@pytest.mark.slow
def test_workers_change_no_batch() -> None:
    def seen(workers: int) -> list[tuple[bytes, bytes]]:
        return [(i.numpy().tobytes(), t.numpy().tobytes())
                for i, t in loader(workers, "light").epoch(1)]  # fmt: skip

    assert seen(0) == seen(2)


def test_images_are_changed_by_draws_of_their_own_or_alike() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    same = np.stack([noise] * 6)
    seed = partial(rng.derive, 1)
    for alike, kinds in ((True, {1}), (False, {2, 3, 4})):
        target = BagTarget(TARGET, BagSampling(6, "even", alike))
        images, _ = target.augment(same, 0, make_recipe("flips", 8), seed)
        assert len({image.tobytes() for image in images}) in kinds
