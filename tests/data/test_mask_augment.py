import numpy as np
import pytest

from comp.data.loader.recipes import RECIPES, make_recipe
from comp.tasks.counts import IGNORED


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
