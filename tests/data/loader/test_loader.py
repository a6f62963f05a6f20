from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from cards import Card
from torch.utils.data import DataLoader

from comp.core.errors import ConfigError, DataError, TrainError
from comp.data.cache.mask_store import PackedMasks
from comp.data.loader.batched.resident import Resident
from comp.data.loader.batches import Batches, MovesOnly
from comp.data.loader.loader import Loader, train_loader
from comp.data.loader.recipes import make_recipe
from comp.data.loader.sampler import SAMPLERS
from comp.data.loader.targets import LabelTarget

COUNT, SIZE = 30, 8
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
TARGET = np.arange(COUNT)  # the row itself, so that a batch tells which rows it holds
ROWS = np.array([row for row in range(COUNT) if row % 7])  # 25 of 30


def make(workers: int = 0, recipe: str = "heavy", **options: object) -> Loader:
    given = {"seed": 5, "fold": 1, "batch_size": 4, **options}
    rows = given.pop("rows", ROWS)
    target = given.pop("target", TARGET)
    images = given.pop("images", IMAGES)
    ready = make_recipe(recipe, SIZE) if isinstance(recipe, str) else recipe
    return train_loader(images, rows, target, ready, workers=workers, **given)


def listed(batches: object) -> list[tuple[list[object], list[object]]]:
    return [(images.tolist(), target.tolist()) for images, target in batches]


def order(loader: Loader, epoch: int) -> list[int]:
    return [row for _, target in loader.epoch(epoch) for row in target.tolist()]


def test_an_epoch_holds_each_training_row_once() -> None:
    loader = make(batch_size=5)
    assert len(loader) == 5
    assert sorted(order(loader, 0)) == ROWS.tolist()


def test_images_and_targets_stay_together() -> None:
    for images, target in make(recipe="none").epoch(3):
        assert images.dtype == torch.uint8
        assert target.dtype == torch.int64
        np.testing.assert_array_equal(images, IMAGES[target])


def test_multilabel_targets_are_rows_of_zeros_and_ones() -> None:
    target = np.eye(COUNT, dtype=np.uint8)
    for images, found in make(recipe="none", target=target).epoch(0):
        assert found.dtype == torch.int64
        np.testing.assert_array_equal(IMAGES[found.argmax(dim=1)], images)


def test_a_last_batch_of_one_image_is_dropped_and_no_other() -> None:
    sizes = {
        size: [len(target) for _, target in make(batch_size=size).epoch(0)]
        for size in (1, 4, 6, 23, 24, 25, 26)
    }
    assert sizes == {
        1: [1] * 25,
        4: [4] * 6,
        6: [6] * 4,
        23: [23, 2],
        24: [24],
        25: [25],
        26: [25],
    }
    assert {size: len(make(batch_size=size)) for size in sizes} == {
        size: len(steps) for size, steps in sizes.items()
    }


@pytest.fixture(scope="module")
def alone() -> list[object]:
    """Epochs 0 to 2, made without workers."""
    loader = make()
    return [listed(loader.epoch(number)) for number in range(3)]


def test_epochs_differ_in_order_and_in_draws(alone: list[object]) -> None:
    targets = [[target for _, target in epoch] for epoch in alone]
    assert targets[0] != targets[1] != targets[2]
    seen = {}
    for epoch in alone:
        for images, target in epoch:
            for image, row in zip(images, target, strict=True):
                seen.setdefault(row, []).append(str(image))
    assert all(len(set(versions)) == len(versions) for versions in seen.values())


def test_a_position_draws_anew_each_epoch() -> None:
    loader = make(rows=np.zeros(12, dtype=np.int64))  # one image: only the draws can differ
    first, second = (torch.cat([images for images, _ in loader.epoch(n)]) for n in (0, 1))
    assert all(not torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("what", ["seed", "fold"])
def test_seed_and_fold_change_order_and_draws(what: str) -> None:
    rows = np.zeros(8, dtype=np.int64)  # one image over and over: only the draws can differ
    first, second = make(rows=rows, **{what: 1}), make(rows=rows, **{what: 2})
    assert listed(first.epoch(0)) != listed(second.epoch(0))
    assert order(make(**{what: 1}), 0) != order(make(**{what: 2}), 0)


def test_no_two_positions_share_their_draws() -> None:
    found = [
        image.numpy().tobytes()
        for images, _ in make(rows=np.zeros(24, dtype=np.int64)).epoch(0)
        for image in images
    ]
    assert len(set(found)) == len(found)


def test_draws_do_not_depend_on_the_batch_size(alone: list[object]) -> None:
    small = [image for images, _ in alone[0] for image in images]
    large = [image for images, _ in listed(make(batch_size=8).epoch(0)) for image in images]
    assert large == small[: len(large)]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(alone: list[object], workers: int) -> None:
    loader = make(workers)
    assert [listed(loader.epoch(number)) for number in range(3)] == alone
    assert listed(loader.epoch(1, first_step=4)) == alone[1][4:]
    begun = loader.epoch(2)
    next(begun)  # an epoch that is left in the middle
    assert listed(loader.epoch(0)) == alone[0]
    assert next(begun, None) is None


@pytest.mark.parametrize("first_step", [0, 1, 5, 6])
def test_an_epoch_can_begin_at_any_step(alone: list[object], first_step: int) -> None:
    assert listed(make().epoch(1, first_step)) == alone[1][first_step:]


def test_earlier_steps_are_not_computed() -> None:
    seen = []

    class Spy:
        changes = True

        def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
            seen.append(seed)
            return image

    list(make(recipe=Spy()).epoch(0, first_step=5))
    assert len(seen) == 4


@pytest.mark.parametrize("first_step", [-1, 7])
def test_a_step_outside_the_epoch_is_an_error(first_step: int) -> None:
    with pytest.raises(TrainError, match=f"has 6 steps; it cannot begin at {first_step}"):
        make().epoch(0, first_step)


@pytest.mark.parametrize("workers", [0, 1])
def test_torchs_generator_is_left_alone(workers: int) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loader = make(workers)
    for number in range(2):
        list(loader.epoch(number))
    assert torch.equal(torch.get_rng_state(), before)


class Threads:
    """Paints an image with the number of threads that OpenCV may use."""

    changes = True

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        return np.full_like(image, cv2.getNumThreads())


def test_a_worker_uses_one_thread() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        found = {int(images.max()) for images, _ in make(1, recipe=Threads()).epoch(0)}
        assert (found, cv2.getNumThreads()) == ({1}, 3)
    finally:
        cv2.setNumThreads(before)


class Faulty:
    changes = True

    def __init__(self, fault: object) -> None:
        self.fault = fault

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        self.fault()
        return image


def complain() -> None:
    raise DataError("the pack is on fire")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_surfaces(workers: int) -> None:
    with pytest.raises(DataError, match="the pack is on fire"):
        list(make(workers, recipe=Faulty(complain)).epoch(0))


# torch tells the death of the worker once more when the loader is collected
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_worker_that_dies_is_an_error_with_advice() -> None:
    with pytest.raises(TrainError, match=r"process that prepares images died.*train\.workers=0"):
        list(make(1, recipe=Faulty(die)).epoch(0))


def test_a_mapped_pack_is_not_copied_to_a_spawned_worker(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for images in (mapped, mapped[3:], IMAGES):
        batches = Batches(images, LabelTarget(TARGET), make_recipe("none", SIZE), 0, 0)
        content = pickle.dumps(batches)
        copy = pickle.loads(content)
        np.testing.assert_array_equal(copy[[(0, 0, 5)]][0], images[[5]])
        assert (images[5].tobytes() in content) == (images is not mapped)


def test_too_few_rows_are_an_error() -> None:
    with pytest.raises(TrainError, match="fold 1: 1 training images; at least 2 are needed"):
        make(rows=np.array([3]))


def test_a_sampler_is_one_entry_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(target: np.ndarray, strength: float, draw: object) -> np.ndarray:
        assert (target.tolist(), strength) == (ROWS.tolist(), 0.5)
        return np.arange(len(target))[::-1]

    monkeypatch.setitem(SAMPLERS, "backwards", backwards)
    assert order(make(sampler="backwards", strength=0.5, batch_size=5), 0) == ROWS[::-1].tolist()
    with pytest.raises(ConfigError, match=r"sampler.*'shufle'.*Did you mean 'shuffle'"):
        make(sampler="shufle")


def test_an_oversampled_copy_is_of_a_training_row_and_gets_its_own_augmentation() -> None:
    target = np.arange(COUNT) % 7 == 1
    loader = make(sampler="balanced", target=target.astype(np.int64))
    images = torch.cat([images for images, _ in loader.epoch(0)]).numpy()
    assert len(images) == 40  # of 25 rows 5 are of the rare class, each shown four times
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    plain = make(sampler="balanced", target=target.astype(np.int64), recipe="none")
    whole = {IMAGES[row].tobytes() for row in ROWS}
    assert {image.numpy().tobytes() for images, _ in plain.epoch(0) for image in images} == whole


@pytest.fixture(scope="module")
def batched() -> list[object]:
    """Epochs 0 to 2 of the device's backend, made without workers."""
    loader = make(batched=True)
    return [listed(loader.epoch(number)) for number in range(3)]


def test_the_device_makes_the_same_images_of_the_same_rows(
    alone: list[object], batched: list[object]
) -> None:
    for ours, theirs in zip(batched, alone, strict=True):
        assert [target for _, target in ours] == [target for _, target in theirs]
        pairs = zip(ours, theirs, strict=True)
        off = [np.abs(np.array(a[0]) - np.array(b[0])).mean() for a, b in pairs]
        assert max(off) < 1.0  # of 255; image by image: batched/test_apply.py
    assert batched != alone


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing_where_the_device_augments(
    batched: list[object], workers: int
) -> None:
    loader = make(workers, batched=True)
    assert [listed(loader.epoch(number)) for number in range(3)] == batched
    assert listed(loader.epoch(1, first_step=4)) == batched[1][4:]
    begun = loader.epoch(2)
    next(begun)
    assert listed(loader.epoch(0)) == batched[0]
    assert next(begun, None) is None


def test_an_epoch_of_the_device_can_begin_at_any_step(batched: list[object]) -> None:
    for first_step in (1, 5, 6):
        assert listed(make(batched=True).epoch(1, first_step)) == batched[1][first_step:]
    large = [image for images, _ in listed(make(batched=True, batch_size=8).epoch(0))
             for image in images]  # fmt: skip
    small = [image for images, _ in batched[0] for image in images]
    assert large == small[: len(large)]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("recipe", ["none", "heavy"])
def test_images_that_stay_on_the_device_are_the_same_bytes(workers: int, recipe: str) -> None:
    there = Resident(IMAGES, torch.device("cpu"))
    options = {"batched": True, "resident": there, "recipe": recipe}
    with_rows = make(workers, **options)
    assert listed(with_rows.epoch(0)) == listed(make(batched=True, recipe=recipe).epoch(0))
    raw = next(with_rows.raw(1))
    assert raw.images.numel() == 0
    np.testing.assert_array_equal(raw.rows, raw.target)  # the target of this file is the row


def test_images_that_stay_cannot_be_changed_by_the_cpu() -> None:
    there = Resident(IMAGES, torch.device("cpu"))
    with pytest.raises(TrainError, match="cannot be changed by the CPU"):
        make(resident=there)


def test_a_thread_copies_where_nothing_is_to_be_done_to_images() -> None:
    """Another process would hand a batch over more slowly than memory is copied."""
    assert make(2, recipe="none")._torch is None
    assert make(2, recipe="light")._torch is not None
    drawing = make(2, recipe="light", batched=True)
    assert isinstance(drawing._torch.dataset, MovesOnly)


def test_batches_that_are_kept_keep_their_bytes() -> None:
    """Memory is given again, but never while somebody holds the batch."""
    loader = make(recipe="none")
    kept = list(loader.epoch(0))
    before = [images.clone() for images, _ in kept]
    list(loader.epoch(1))
    assert all(images.equal(own) for (images, _), own in zip(kept, before, strict=True))


@pytest.mark.parametrize("side", [None, 8])
@pytest.mark.parametrize("workers", [0, 1])
def test_masks_move_with_their_images_on_the_device(side: int | None, workers: int) -> None:
    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (COUNT, SIZE + 4, SIZE + 4, 3), dtype=np.uint8)
    masks = (images[..., :1] > 128).astype(np.uint8)
    options = {"images": images, "masks": PackedMasks(masks), "side": side}
    recipe = make_recipe("medium", side or SIZE + 4)
    ours = [*make(workers, recipe=recipe, batched=True, **options).epoch(0)]
    theirs = [*make(recipe=make_recipe("medium", side or SIZE + 4), **options).epoch(0)]
    for (seen, regions), (image, region) in zip(ours, theirs, strict=True):
        assert regions.shape == region.shape
        assert regions.dtype == torch.uint8
        assert (regions != region).float().mean() < 0.02
        assert (seen.int() - image.int()).abs().float().mean() < 0.5


@pytest.mark.parametrize(
    ("options", "by"),
    [
        ({"recipe": "none"}, "thread"),
        ({"recipe": "light"}, "thread"),
        ({"recipe": "light", "batched": True}, "thread"),
        ({"recipe": "light", "batched": True, "workers": 1}, "thread"),
        ({"recipe": "light", "workers": 1}, "process"),
    ],
)
def test_batches_for_a_card_lie_in_pinned_memory(
    card: Card, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], by: str
) -> None:
    """Those of processes are pinned by torch, where it is told to."""
    given: list[bool] = []

    class Told(DataLoader):
        def __init__(self, *parts: object, pin_memory: bool, **how: object) -> None:
            given.append(pin_memory)
            super().__init__(*parts, pin_memory=pin_memory and card.real, **how)

    monkeypatch.setattr("comp.data.loader.loader.DataLoader", Told)
    if not card.real:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    loader = make(**options)
    assert all(given)
    assert len(given) == ("workers" in options)
    if by == "process" and not card.real:
        return
    raw = next(loader.raw(0))
    assert raw.images.is_pinned()
    assert raw.target.is_pinned()
