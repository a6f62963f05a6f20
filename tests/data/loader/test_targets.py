import pickle

import numpy as np

from comp.data.cache.mask_store import PackedMasks
from comp.data.loader.batches import Batches
from comp.data.loader.recipes import make_recipe
from comp.data.loader.targets import MaskTarget, mirrored, padded
from comp.tasks.counts import IGNORED


class Own:
    """Images or masks of their own sizes."""

    layers = 1
    shape = (2, 16, 16, 3)
    dtype = np.dtype(np.uint8)

    def __init__(self, items: list[np.ndarray]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> np.ndarray:
        return self.items[row]


MASKS = np.random.default_rng(0).integers(0, 2, (4, 16, 16, 2)).astype(np.uint8)
IMAGES = np.repeat(200 * MASKS[..., :1], 3, axis=3).astype(np.uint8)
KEYS = [(0, 0, 2), (0, 1, 0)]


def batches(seed: int = 1, recipe: str = "medium") -> Batches:
    return Batches(IMAGES, MaskTarget(PackedMasks(MASKS)), make_recipe(recipe, 16), seed, 0)


def test_a_batch_is_a_function_of_seed_epoch_and_position() -> None:
    (images, masks, *_), again = batches()[KEYS], batches()[KEYS]
    assert (images.shape, masks.shape) == ((2, 16, 16, 3), (2, 2, 16, 16))
    assert images.equal(again[0])
    assert masks.equal(again[1])
    assert not images.equal(batches(2)[KEYS][0])
    assert not images.equal(batches()[[(1, 0, 2), (1, 1, 0)]][0])


def test_a_worker_that_is_spawned_makes_the_same_batch() -> None:
    images, masks, *_ = pickle.loads(pickle.dumps(batches()))[KEYS]
    assert images.equal(batches()[KEYS][0])
    assert masks.equal(batches()[KEYS][1])


def test_images_of_several_sizes_are_padded_and_the_padding_is_not_judged() -> None:
    items = [IMAGES[0, :10], IMAGES[1, :, :12]]
    masks = [MASKS[0, :10, :, :1], MASKS[1, :, :12, :1]]
    made = Batches(Own(items), MaskTarget(Own(masks)), make_recipe("none", 16), 1, 0)  # type: ignore[arg-type]
    images, regions, *_ = made[[(0, 0, 0), (0, 1, 1)]]
    assert images.shape == (2, 16, 16, 3)
    assert (images[0, :10].numpy() == items[0]).all()
    assert (images[0, 10].numpy() == items[0][9]).all()
    assert (regions[0, 0, 10:] == IGNORED).all()
    assert (regions[1, 0, :, 12:] == IGNORED).all()
    assert (regions[1, 0, :, :12].numpy() == masks[1][..., 0]).all()


def test_a_window_cuts_image_and_mask_at_one_place() -> None:
    target = MaskTarget(PackedMasks(MASKS[..., :1]), side=8)
    made = Batches(IMAGES, target, make_recipe("none", 8), 1, 0)
    images, masks, *_ = made[KEYS]
    assert images.shape == (2, 8, 8, 3)
    assert (images[..., 0] == 200 * masks[:, 0]).all()


def test_what_is_large_enough_is_not_padded() -> None:
    image, mask = IMAGES[0], MASKS[0]
    assert mirrored(image, 16, 16) is image
    assert padded(mask, 16, 16) is mask


def test_masks_are_read_in_the_order_of_the_rows() -> None:
    masks = MaskTarget(PackedMasks(MASKS)).read(np.array([3, 0, 2])).numpy()
    assert (masks == np.moveaxis(MASKS[[3, 0, 2]], 3, 1)).all()
