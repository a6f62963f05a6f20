"""What a recipe draws for each image of a batch, without touching a pixel.

The transforms of a recipe are asked for their parameters in the order and from the generators that
`Recipe` has, so that the draws are those of an image that OpenCV augments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from comp.data.loader.noise import Noise
from comp.data.loader.recipes import Recipe, make_recipe
from comp.data.loader.transforms import Affine, Contrast

import albumentations as A  # isort: skip  # after recipes, which keeps it from the network

Array = np.ndarray[Any, Any]
Drawn = tuple[str, Array]  # the name of an operation of `apply`, and its numbers

_FLIPS = {"across": np.diag([-1.0, 1, 1]), "down": np.diag([1.0, -1, 1])}


class Moves(NamedTuple):
    """What is to be done to a batch, in order.

    `plan`    for each operation its name, the number of images, and the numbers of each image
    `values`  (n,) float32, operation after operation: the places of its images in the batch, then
              their numbers
    """

    plan: list[tuple[str, int, int]]
    values: Tensor


class Draws:
    """The draws of a recipe. Made for images of `recipe.size`; for one thread at a time."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._shape = (recipe.size, recipe.size, 3)

    def __reduce__(self) -> tuple[Any, ...]:
        return Draws, (self.recipe,)

    def __call__(self, seeds: Sequence[int]) -> Moves:
        """The moves of a batch; seeds: one for each of its images."""
        slots: list[dict[str, list[tuple[int, Array]]]] = [{} for _ in self.recipe.transforms]
        for place, seed in enumerate(seeds):
            for slot, name, numbers in _joined(self.one(seed), self.recipe.size):
                slots[slot].setdefault(name, []).append((place, numbers))
        plan: list[tuple[str, int, int]] = []
        parts: list[Array] = []
        for name, found in ((n, f) for slot in slots for n, f in slot.items()):
            numbers = _rectangle([numbers for _, numbers in found])
            plan.append((name, *numbers.shape))
            parts += [np.array([place for place, _ in found], np.float32), numbers.ravel()]
        whole = np.concatenate(parts) if parts else np.empty(0, np.float32)
        return Moves(plan, torch.from_numpy(whole))

    def one(self, seed: int) -> list[tuple[int, str, Array]]:
        """The operations of the image with this seed: the number of the transform of the recipe,
        the name of the operation, its numbers."""
        self.recipe.begin(seed)
        found = []
        for slot, transform in enumerate(self.recipe.transforms):
            if isinstance(transform, A.OneOf):
                drawn = self._one_of(transform)
            elif transform.should_apply():
                drawn = READERS[type(transform)](transform, self._shape)
            else:
                drawn = None
            if drawn is not None:
                found.append((slot, *drawn))
        return found

    def _one_of(self, choice: Any) -> Drawn | None:
        """As `A.OneOf` does."""
        if not choice.transforms_ps or self.recipe.python.random() >= choice.p:
            return None
        number = int(self.recipe.numpy.choice(len(choice.transforms), p=choice.transforms_ps))
        inner = choice.transforms[number]
        if not inner.should_apply(force_apply=True):
            return None
        return READERS[type(inner)](inner, self._shape)


def _joined(found: list[tuple[int, str, Array]], size: int) -> list[tuple[int, str, Array]]:
    """The same operations with each flip joined to the warp that follows it: a flip moves whole
    pixels, so both give the same."""
    out, waiting = [], np.eye(3)
    last = (0, np.eye(3))
    for slot, name, numbers in found:
        if name in _FLIPS:
            waiting = waiting @ _mirror(name, size)
            last = slot, waiting
        elif name == "warp":
            joined = waiting @ numbers.reshape(3, 3)
            out.append((slot, "warp", joined.astype(np.float32).ravel()))
            waiting = np.eye(3)
        else:
            out += _flip(last[0], waiting)
            waiting = np.eye(3)
            out.append((slot, name, numbers))
    return out + _flip(last[0], waiting)


def _mirror(name: str, size: int) -> Array:
    """The flip of places in an image."""
    matrix = _FLIPS[name].copy()
    matrix[:2, 2] = np.where(np.diag(matrix)[:2] < 0, size - 1, 0)
    return matrix


def _flip(slot: int, matrix: Array) -> list[tuple[int, str, Array]]:
    """The flips that a matrix stands for, as operations."""
    across, down = matrix[0, 0] < 0, matrix[1, 1] < 0
    names = [name for name, wanted in (("across", across), ("down", down)) if wanted]
    return [(slot, name, np.empty(0, np.float32)) for name in names]


def _rectangle(rows: list[Array]) -> Array:
    """(n, most) float32: rows of several lengths, zeros behind the short ones."""
    most = max(len(row) for row in rows)
    out = np.zeros((len(rows), most), np.float32)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out


def _affine(transform: Any, shape: tuple[int, ...]) -> Drawn:
    matrix = transform.get_params_dependent_on_data({"shape": shape}, {})["matrix"]
    return "warp", np.linalg.inv(matrix).ravel()


def _perspective(transform: Any, shape: tuple[int, ...]) -> Drawn:
    drawn = transform.get_params_dependent_on_data({"shape": shape}, {})
    scale = np.diag([shape[1] / drawn["max_width"], shape[0] / drawn["max_height"], 1.0])
    return "warp", np.linalg.inv(scale @ drawn["matrix"]).ravel()


_ONES = np.ones((1, 1, 3), np.uint8)


def _contrast(transform: Any, shape: tuple[int, ...]) -> Drawn:
    """Factor, summand as a share of the mean of the image, summand in levels."""
    drawn = transform.get_params_dependent_on_data({}, {"image": _ONES})
    own = (0.0, drawn["beta"]) if transform.brightness_by_max else (drawn["beta"], 0.0)
    return "contrast", np.array([drawn["alpha"], *own])


def _hue(transform: Any, shape: tuple[int, ...]) -> Drawn:
    drawn = transform.get_params()
    return "hue", np.array([drawn["hue_shift"], drawn["sat_shift"], drawn["val_shift"]])


def _gaussian(transform: Any, shape: tuple[int, ...]) -> Drawn:
    kernel = transform.get_params_dependent_on_data({}, {})["kernel"]
    return "blur", _centred(np.asarray(kernel), _widest(transform))


def _motion(transform: Any, shape: tuple[int, ...]) -> Drawn:
    kernel, side = np.asarray(transform.get_params()["kernel"]), _widest(transform)
    border = (side - len(kernel)) // 2
    return "filter", np.pad(kernel, border).ravel()


def _widest(transform: Any) -> int:
    """The side of the largest kernel that a blur draws."""
    most = int(transform.blur_limit[1])
    if most == 0:
        most = int(transform.sigma_limit[1] * 3.5) * 2 + 1
    return most + (most % 2 == 0)


def _centred(kernel: Array, side: int) -> Array:
    return np.pad(kernel, (side - len(kernel)) // 2)


def _noise(transform: Any, shape: tuple[int, ...]) -> Drawn:
    drawn = transform.get_params()
    return "noise", np.array([drawn["sigma"], drawn["pattern"]])


def _holes(transform: Any, shape: tuple[int, ...]) -> Drawn:
    """The level that fills them, then left, top, right and bottom of each."""
    holes = transform.get_params_dependent_on_data({"shape": shape}, {})["holes"]
    return "holes", np.concatenate([[float(transform.fill)], holes.ravel()])


READERS: dict[type, Callable[[Any, tuple[int, ...]], Drawn]] = {
    A.HorizontalFlip: lambda _, __: ("across", np.empty(0)),
    A.VerticalFlip: lambda _, __: ("down", np.empty(0)),
    A.Affine: _affine,
    Affine: _affine,
    A.Perspective: _perspective,
    A.RandomBrightnessContrast: _contrast,
    Contrast: _contrast,
    A.HueSaturationValue: _hue,
    A.GaussianBlur: _gaussian,
    A.MotionBlur: _motion,
    Noise: _noise,
    A.CoarseDropout: _holes,
}


def not_batched(name: str, size: int) -> str | None:
    """The name of a transform of the recipe that torch has no operation for; None: it has all."""
    for transform in make_recipe(name, size).transforms:
        inner = transform.transforms if type(transform) is A.OneOf else [transform]
        for part in inner:
            if type(part) not in READERS or not _plain(part):
                return type(part).__name__
    return None


def _plain(transform: Any) -> bool:
    """Whether a transform is used as the operations are written for: mirrored borders, linear and
    nearest neighbours, the size kept, holes of one level."""
    if isinstance(transform, A.CoarseDropout):
        return isinstance(transform.fill, (int, float)) and transform.fill_mask is None
    if isinstance(transform, A.RandomBrightnessContrast):
        return not transform.ensure_safe_range
    if not isinstance(transform, A.Affine | A.Perspective):
        return True
    return (
        transform.border_mode == cv2.BORDER_REFLECT_101
        and (transform.interpolation, transform.mask_interpolation) == (cv2.INTER_LINEAR, 0)
        and not transform.fit_output
        and getattr(transform, "keep_size", True)
    )
