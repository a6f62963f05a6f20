"""Named augmentation recipes. How an image is changed depends on its seed and nothing else.

A recipe is one entry in `RECIPES`: a function from the image size to albumentations transforms.
What rotations and shifts uncover is filled with the mirror image: from black corners a network
would learn the angle.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from comp.config.plugins import load_files, loaded_files
from comp.core.errors import TrainError, pick, reason
from comp.core.registry import guarded
from comp.data.loader.noise import Noise
from comp.data.loader.transforms import BY_PYTHON, Affine, Contrast

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # its import would ask the network for a new version
import albumentations as A

Pixels = np.ndarray[Any, Any]
Transforms = list[Any]

_MIRROR = cv2.BORDER_REFLECT_101


def _none(size: int) -> Transforms:
    return []


def _flips(size: int) -> Transforms:
    return [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]


def _flips_rotate(size: int) -> Transforms:
    return [*_flips(size), Affine(rotate=(-40, 40), border_mode=_MIRROR, p=0.8)]


def _flips_turn(size: int) -> Transforms:
    """Any angle: for parts and surfaces, which have no up and down."""
    return [*_flips(size), Affine(rotate=(-180, 180), border_mode=_MIRROR, p=0.9)]


def _portrait(size: int) -> Transforms:
    """Small rotations, perspective and mirror images: for faces and other upright objects."""
    return [
        A.HorizontalFlip(p=0.5),
        Affine(rotate=(-15, 15), border_mode=_MIRROR, p=0.7),
        A.Perspective(scale=(0.03, 0.1), border_mode=_MIRROR, p=0.5),
    ]


def _shift(share: float, scale: float, rotate: float, shear: float, p: float) -> Any:
    """Shift, scale, rotation (degrees) and shear (degrees) in one interpolation."""
    return Affine(
        translate_percent=(-share, share),
        scale=(1 - scale, 1 + scale),
        keep_ratio=True,
        rotate=(-rotate, rotate),
        shear=(-shear, shear),
        border_mode=_MIRROR,
        p=p,
    )


def _brightness(share: float, p: float) -> Any:
    """Brightness and contrast; relative to the image's mean, or dark images would turn black."""
    return Contrast(share, p)


def _light(size: int) -> Transforms:
    """No flips: safe for digits and letters."""
    return [
        _shift(0.06, 0.08, 10, 0, p=0.8),
        _brightness(0.1, p=0.5),
    ]


def _medium(size: int) -> Transforms:
    return [
        A.HorizontalFlip(p=0.5),
        _shift(0.1, 0.15, 20, 5, p=0.8),
        _brightness(0.2, p=0.6),
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=(3, 5), sigma_limit=(0.3, 1.0), p=1.0),
                Noise(std_range=(0.01, 0.04), p=1.0),
            ],
            p=0.2,
        ),
    ]


def _heavy(size: int) -> Transforms:
    return [
        A.HorizontalFlip(p=0.5),
        _shift(0.15, 0.25, 30, 8, p=0.8),
        A.Perspective(scale=(0.03, 0.08), border_mode=_MIRROR, p=0.3),
        _brightness(0.25, p=0.7),
        A.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=30, val_shift_limit=0, p=0.5),
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=(3, 7), sigma_limit=(0.5, 1.5), p=1.0),
                A.MotionBlur(blur_limit=(3, 7), p=1.0),
                Noise(std_range=(0.02, 0.07), p=1.0),
            ],
            p=0.3,
        ),
        A.CoarseDropout(
            num_holes_range=(1, 4),
            hole_height_range=(0.08, 0.2),
            hole_width_range=(0.08, 0.2),
            fill=0,
            p=0.5,
        ),
    ]


RECIPES: dict[str, Callable[[int], Transforms]] = {
    "none": _none,
    "flips": _flips,
    "flips_rotate": _flips_rotate,
    "flips_turn": _flips_turn,
    "portrait": _portrait,
    "light": _light,
    "medium": _medium,
    "heavy": _heavy,
}
_OWN = frozenset(RECIPES)
_TOP = 65535  # of 16 bits


# Transforms of colours: for other channels than red, green and blue they mean nothing
_OF_COLOURS = (
    A.CLAHE,
    A.ChromaticAberration,
    A.ColorJitter,
    A.FancyPCA,
    A.HEStain,
    A.HueSaturationValue,
    A.ISONoise,
    A.PlanckianJitter,
    A.RGBShift,
    A.RandomFog,
    A.RandomRain,
    A.RandomSnow,
    A.RandomSunFlare,
    A.RandomToneCurve,
    A.ToGray,
    A.ToSepia,
)
_FLIPS = (A.HorizontalFlip, A.VerticalFlip, A.D4, A.Transpose)


def flips_writing(name: str, classes: Sequence[str]) -> bool:
    """Whether the recipe `name` mirrors images whose classes may be letters, or all ten
    digits: mirrored, b is d and p is q. Names cannot tell: 0-9 may also be hand signs."""
    known = {text.lower() for text in classes}
    letters = len(known) > 2 and all(len(text) == 1 and text.isalpha() for text in known)
    writing = letters or known == set("0123456789")
    transforms = pick(RECIPES, name, "augmentation recipe")(32)
    return writing and any(isinstance(transform, _FLIPS) for transform in transforms)


def mirrors(name: str) -> str:
    """The views, by a name of `predict.tta`, that a recipe takes for the same image."""
    known = {type(transform) for transform in pick(RECIPES, name, "augmentation recipe")(32)}
    if A.D4 in known:
        return "d4"
    if {A.HorizontalFlip, A.VerticalFlip} <= known:
        return "flips"
    return "hflip" if A.HorizontalFlip in known else "none"


def custom_recipe(name: str, function: Callable[[int], Transforms]) -> Callable[[int], Transforms]:
    """A recipe from a user's function; TrainError where it gives no list of transforms, or where
    one fails or changes the size of an image."""
    call = guarded(function, "recipe", name, TrainError)

    def recipe(size: int) -> Transforms:
        found = call(size)
        wrong = (
            [part for part in found if not isinstance(part, A.BasicTransform | A.BaseCompose)]
            if isinstance(found, list | tuple)
            else [found]
        )
        if wrong:
            raise TrainError(
                f"recipe {name!r}: it gives {wrong[0]!r:.80}, not a list of albumentations "
                "transforms"
            )
        return [*found]

    return recipe


class Recipe:
    """A recipe that is ready for images of one size; for one thread at a time.

    All its transforms draw from one pair of generators, set for each image. (albumentations'
    own `set_random_seed` gives each transform a generator with the same seed: two flips then
    always happen together. It also takes longer.)
    """

    def __init__(self, name: str, size: int, channels: int = 3) -> None:
        self.name = name
        self.size, self.channels = size, channels
        self.transforms = _suited(pick(RECIPES, name, "augmentation recipe")(size), name, channels)
        self.python = random.Random(0)  # the generators of all its transforms
        self.numpy = np.random.Generator(np.random.PCG64(0))
        self._by_python = all(isinstance(part, BY_PYTHON) for part in self.transforms)
        for transform in self.transforms:
            transform.set_random_state(self.numpy, self.python)

    def __reduce__(self) -> tuple[Any, ...]:
        """For workers that are spawned: they run the plugin files first, which may register it."""
        return _recipe_with, (loaded_files(), self.name, self.size, self.channels)

    @property
    def changes(self) -> bool:
        """Whether the recipe can change an image."""
        return bool(self.transforms)

    def __call__(self, image: Pixels, seed: int) -> Pixels:
        """(H, W, C) uint8 or uint16 -> the same; the draws are a function of `seed` (>= 0)."""
        if not self.transforms:
            return image
        self.begin(seed)
        known = image
        image = _lit(known)
        for transform in self.transforms:
            image = self._apply(transform, image=image)["image"]
        return self._like(known, image)

    def with_mask(self, image: Pixels, mask: Pixels, seed: int) -> tuple[Pixels, Pixels]:
        """The image as `__call__` gives it, and its mask (H, W, L) uint8 moved with it: nearest
        neighbours, the mirror image where the image has its own."""
        self.begin(seed)
        known = image
        image = _lit(known)
        for transform in self.transforms:
            moved = self._apply(transform, image=image, mask=mask)
            image, mask = moved["image"], moved["mask"]
        return self._like(known, image), mask.reshape(*image.shape[:2], -1)

    def _apply(self, transform: Any, **arrays: Pixels) -> dict[str, Pixels]:
        try:
            return cast("dict[str, Pixels]", transform(**arrays))
        except Exception as problem:
            raise TrainError(
                f"recipe {self.name!r}: {type(transform).__name__}: {type(problem).__name__}: "
                f"{reason(problem)}"
            ) from problem

    def _like(self, known: Pixels, image: Pixels) -> Pixels:
        """The image as one like `known`; TrainError where a transform has changed shape or type."""
        expected = known.dtype if known.dtype == np.uint8 else np.float32
        if image.shape != known.shape or image.dtype != expected:
            raise TrainError(
                f"recipe {self.name!r}: it gives images {image.dtype} of shape {image.shape} for "
                f"images {expected} of shape {known.shape}"
            )
        if known.dtype == np.uint8:
            return image
        return np.asarray(np.rint(image.clip(0, 1) * _TOP).astype(np.uint16))

    def begin(self, seed: int) -> None:
        """Set the generators for the draws of one image."""
        self.python.seed(seed)
        if self._by_python:  # the other one costs as much as a draw
            return
        self.numpy.bit_generator.state = np.random.PCG64(seed).state


def _lit(image: Pixels) -> Pixels:
    """What albumentations takes: 16 bits become float32 in [0, 1], which holds each exactly."""
    return image if image.dtype == np.uint8 else image.astype(np.float32) / np.float32(_TOP)


def _suited(transforms: Transforms, name: str, channels: int) -> Transforms:
    """The transforms that suit images of so many channels.

    Those of colours are left out of the recipes of comp; in another one they are a TrainError.
    """
    if channels == 3:
        return transforms
    odd = [type(part).__name__ for part in _parts(transforms) if isinstance(part, _OF_COLOURS)]
    if odd and name not in _OWN:
        raise TrainError(
            f"recipe {name!r}: {odd[0]} is for red, green and blue; images have {channels} "
            "channels (image.channels). Leave it out of the recipe"
        )
    return [part for part in transforms if not isinstance(part, _OF_COLOURS)]


def _parts(transforms: Sequence[Any]) -> list[Any]:
    """All transforms, those inside others too."""
    inner = [_parts(getattr(part, "transforms", ())) for part in transforms]
    return [*transforms, *(part for some in inner for part in some)]


def _recipe_with(plugins: tuple[Path, ...], name: str, size: int, channels: int) -> Recipe:
    load_files(plugins)
    return Recipe(name, size, channels)


def make_recipe(name: str, size: int, channels: int = 3) -> Recipe:
    """The recipe `name` for images of `size` pixels; ConfigError for a name not in `RECIPES`.

    Without its transforms of colours where images have other channels than three.
    """
    return Recipe(name, size, channels)
