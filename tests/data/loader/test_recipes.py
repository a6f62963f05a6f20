from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from collections import Counter

import albumentations as A
import numpy as np
import pytest

from comp.core.errors import ConfigError, TrainError
from comp.data.loader.recipes import RECIPES, flips_writing, make_recipe, mirrors
from comp.tasks.counts import IGNORED

DRAW = np.random.default_rng(0)
IMAGE = DRAW.integers(0, 256, (24, 24, 3), dtype=np.uint8)
CHANGING = [name for name in RECIPES if name != "none"]


@pytest.mark.parametrize("size", [8, 24, 33])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_keeps_shape_and_type_and_its_input(name: str, size: int) -> None:
    image = DRAW.integers(0, 256, (size, size, 3), dtype=np.uint8)
    image.setflags(write=False)  # as the pack is
    before = image.copy()
    recipe = make_recipe(name, size)
    for seed in range(30):
        found = recipe(image, seed)
        assert found.shape == (size, size, 3)
        assert found.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", CHANGING)
def test_a_draw_depends_on_the_seed_alone(name: str) -> None:
    seeds = [5, 2**63 - 1, 0, 5, 77]
    one, other = make_recipe(name, 24), make_recipe(name, 24)
    forward = [one(IMAGE, seed) for seed in seeds]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - what others do to the global generators does not matter
    backward = [other(IMAGE, seed) for seed in reversed(seeds)][::-1]
    np.testing.assert_array_equal(forward, backward)


@pytest.mark.parametrize("name", CHANGING)
def test_augmentation_leaves_the_global_generators_alone(name: str) -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    make_recipe(name, 24)(IMAGE, 9)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


@pytest.mark.parametrize("name", CHANGING)
def test_other_seeds_are_other_draws(name: str) -> None:
    recipe = make_recipe(name, 24)
    found = {recipe(IMAGE, seed).tobytes() for seed in range(60)}
    assert len(found) >= (4 if name == "flips" else 30)


def test_the_two_flips_are_drawn_independently() -> None:
    flips = {
        IMAGE.tobytes(): "neither",
        IMAGE[:, ::-1].tobytes(): "horizontal",
        IMAGE[::-1].tobytes(): "vertical",
        IMAGE[::-1, ::-1].tobytes(): "both",
    }
    recipe = make_recipe("flips", 24)
    counts = Counter(flips[recipe(IMAGE, seed).tobytes()] for seed in range(400))
    assert set(counts) == set(flips.values())
    assert min(counts.values()) > 70


def test_none_changes_nothing() -> None:
    recipe = make_recipe("none", 24)
    assert not recipe.changes
    np.testing.assert_array_equal(recipe(IMAGE, 1), IMAGE)


@pytest.mark.parametrize("name", ["flips_rotate", "light", "medium"])
def test_geometry_uncovers_no_black(name: str) -> None:
    white = np.full((40, 40, 3), 200, dtype=np.uint8)
    recipe = make_recipe(name, 40)
    assert min(recipe(white, seed).min() for seed in range(60)) > 80


def test_light_does_not_flip() -> None:
    ramp = np.linspace(0, 255, 48).astype(np.uint8)
    right = np.broadcast_to(ramp[None, :, None], (48, 48, 3)).copy()
    down = np.ascontiguousarray(right.transpose(1, 0, 2))
    recipe = make_recipe("light", 48)
    for seed in range(60):
        found = recipe(right, seed).astype(int)
        assert found[:, 24:].mean() > found[:, :24].mean() + 50
        found = recipe(down, seed).astype(int)
        assert found[24:].mean() > found[:24].mean() + 50


@pytest.mark.parametrize("name", CHANGING)
def test_dark_images_stay_visible(name: str) -> None:
    dark = DRAW.integers(10, 40, (48, 48, 3), dtype=np.uint8)
    recipe = make_recipe(name, 48)
    assert min(recipe(dark, seed).mean() for seed in range(60)) > dark.mean() / 2


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_travels_to_another_process(name: str) -> None:
    recipe = make_recipe(name, 24)
    copy = pickle.loads(pickle.dumps(recipe))
    for seed in range(5):
        np.testing.assert_array_equal(copy(IMAGE, seed), recipe(IMAGE, seed))


def test_an_unknown_recipe_lists_the_choices() -> None:
    message = r"augmentation recipe 'meduim'; it is one of: none, .*Did you mean 'medium'"
    with pytest.raises(ConfigError, match=message):
        make_recipe("meduim", 24)


def test_the_import_does_not_ask_the_network_for_updates() -> None:
    program = (
        "import socket\n"
        "def refuse(*_): raise SystemExit('asked the network')\n"
        "socket.socket.connect = refuse\n"
        "socket.getaddrinfo = refuse\n"
        "import comp.data.loader.recipes\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("recipe", "classes", "expected"),
    [
        ("flips_rotate", "abc", True),
        ("portrait", "0123456789", True),
        ("flips_rotate", "ABCDZ", True),
        ("light", "abc", False),
        ("none", "abc", False),
        ("flips_rotate", "01", False),
        ("flips_rotate", ("cat", "dog", "cow"), False),
        ("flips_rotate", ("normal", "defect"), False),
    ],
)
def test_a_mirror_of_letters_or_digits_is_noticed(
    recipe: str, classes: tuple[str, ...], expected: bool
) -> None:
    assert flips_writing(recipe, tuple(classes)) is expected


def spot(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright blob, and its mask."""
    draw = np.random.default_rng(seed)
    mask = np.zeros((64, 64), np.uint8)
    top, left = draw.integers(12, 28, 2)
    mask[top : top + 22, left : left + 14] = 1
    return np.repeat(40 + 180 * mask[..., None], 3, axis=2).astype(np.uint8), mask


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_mask_moves_with_its_image(name: str) -> None:
    recipe, shares = make_recipe(name, 64), []
    for seed in range(12):
        image, mask = spot(seed)
        seen, moved = recipe.with_mask(image, mask[..., None], seed)
        inside = moved[..., 0] == 1
        grey = seen.mean(axis=2)
        level = (grey[inside].mean() + grey[~inside].mean()) / 2
        shares.append(float(((grey > level) == inside).mean()))
        assert (seen == recipe(image, seed)).all()
        assert set(np.unique(moved)) <= {0, 1}
    assert min(shares) > 0.93
    assert np.mean(shares) > 0.97


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_eight_layers_move_as_one(name: str) -> None:
    image, mask = spot(3)
    layers = np.zeros((64, 64, 8), np.uint8)
    layers[..., 6] = mask
    layers[..., 7] = np.where(mask, IGNORED, 0)
    one = make_recipe(name, 64).with_mask(image, mask[..., None], 5)[1]
    moved = make_recipe(name, 64).with_mask(image, layers, 5)[1]
    assert moved.shape == (64, 64, 8)
    assert (moved[..., 6] == one[..., 0]).all()
    assert ((moved[..., 7] == IGNORED) == (one[..., 0] == 1)).all()
    assert not moved[..., :6].any()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 5, 16])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_any_number_of_channels(name: str, channels: int, kind: type) -> None:
    image = DRAW.integers(0, np.iinfo(kind).max, (24, 24, channels)).astype(kind)
    recipe = make_recipe(name, 24, channels)
    for seed in range(12):
        found = recipe(image, seed)
        assert (found.shape, found.dtype) == (image.shape, image.dtype)
        np.testing.assert_array_equal(found, recipe(image, seed))
        moved, mask = recipe.with_mask(image, image[..., :1].astype(np.uint8), seed)
        assert (moved.shape, mask.shape) == (image.shape, (24, 24, 1))


def test_channels_move_together() -> None:
    image = np.repeat(DRAW.integers(0, 65535, (24, 24, 1), dtype=np.uint16), 5, axis=2)
    recipe = make_recipe("flips_turn", 24, 5)
    for seed in range(10):
        found = recipe(image, seed)
        np.testing.assert_array_equal(found, np.repeat(found[..., :1], 5, axis=2))


def test_a_flip_keeps_every_one_of_16_bits() -> None:
    image = np.arange(24 * 24 * 2, dtype=np.uint16).reshape(24, 24, 2) * 56 + 3
    recipe = make_recipe("flips", 24, 2)
    views = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    for seed in range(8):
        assert any((recipe(image, seed) == view).all() for view in views)


def test_a_recipe_of_colours_is_refused_for_other_channels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    colours = [A.OneOf([A.HueSaturationValue(p=1), A.HorizontalFlip(p=1)], p=1)]
    monkeypatch.setitem(RECIPES, "mine", lambda size: colours)
    make_recipe("mine", 24)
    with pytest.raises(TrainError, match=r"'mine': HueSaturationValue is for red.* 5 channels"):
        make_recipe("mine", 24, 5)
    again = pickle.loads(pickle.dumps(make_recipe("heavy", 24, 5)))
    assert again.channels == 5


def test_the_views_of_a_recipe_are_what_it_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: mirrors(name) for name in RECIPES}
    assert found["none"] == found["light"] == "none"
    assert found["portrait"] == found["medium"] == found["heavy"] == "hflip"
    assert found["flips"] == found["flips_rotate"] == found["flips_turn"] == "flips"
    monkeypatch.setitem(RECIPES, "turns", lambda _: [A.D4(p=1.0)])
    assert mirrors("turns") == "d4"
