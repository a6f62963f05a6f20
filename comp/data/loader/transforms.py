"""Transforms of the recipes that draw as those of albumentations do, with less around the call of
OpenCV: at 331 px half of the time of theirs went into matrices of boxes, checks and means.
"""

from __future__ import annotations

import math
import os
from typing import Any

import cv2
import numpy as np

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # its import would ask the network for a new version
import albumentations as A

Array = np.ndarray[Any, Any]


class Affine(A.Affine):  # type: ignore[misc]
    """`A.Affine` without boxes."""

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """The matrix (3, 3), and the shape of the result: that of the image."""
        height, width = params["shape"][:2]
        move = self._get_translate_params((height, width))
        shear = self._get_shear_params()
        scale = self._get_scale(self.scale, self.keep_ratio, self.balanced_scale, self.py_random)
        angle = math.radians(self.py_random.uniform(*self.rotate))
        cos, sin = math.cos(angle), math.sin(angle)
        lean, rise = math.tan(math.radians(shear["x"])), math.tan(math.radians(shear["y"]))
        a, b = (cos - lean * sin) * scale["x"], (sin + lean * cos) * scale["y"]
        c, d = (rise * cos - sin) * scale["x"], (rise * sin + cos) * scale["y"]
        x, y = width / 2 - 0.5, height / 2 - 0.5
        right, down = move["x"] + x - a * x - b * y, move["y"] + y - c * x - d * y
        matrix = np.array([[a, b, right], [c, d, down], [0.0, 0.0, 1.0]])
        return {"matrix": matrix, "output_shape": (height, width)}

    def apply(self, img: Array, matrix: Array, **params: Any) -> Array:
        """The image (H, W, C) uint8 or float, warped."""
        if img.shape[2:] != (3,):  # OpenCV takes four channels at most, and drops a single one
            return np.asarray(super().apply(img, matrix=matrix, **params))
        size = img.shape[1], img.shape[0]
        return np.asarray(
            cv2.warpAffine(
                img, matrix[:2], size, flags=self.interpolation, borderMode=self.border_mode
            )
        )


class Contrast(A.RandomBrightnessContrast):  # type: ignore[misc]
    """`A.RandomBrightnessContrast` relative to the mean of the image."""

    def __init__(self, share: float, p: float) -> None:
        super().__init__(share, share, brightness_by_max=False, p=p)

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, float]:
        """The factor `alpha` and the summand `beta`."""
        alpha = 1.0 + self.py_random.uniform(*self.contrast_limit)
        share = self.py_random.uniform(*self.brightness_limit)
        image = data["image"]
        few = image.shape[2:] == (3,)  # of which OpenCV knows the mean
        return {"alpha": alpha, "beta": share * (_mean(image) if few else float(image.mean()))}

    def apply(self, img: Array, alpha: float, beta: float, **params: Any) -> Array:
        """The image (H, W, C) uint8, fractions cut off; float images as albumentations does."""
        if img.dtype != np.uint8:
            return np.asarray(super().apply(img, alpha, beta, **params))
        table = np.clip(_LEVELS * np.float32(alpha) + np.float32(beta), 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(img, table)).reshape(img.shape)  # it drops a single channel


def _mean(image: Array) -> float:
    return sum(cv2.mean(image)[:3]) / 3


_LEVELS = np.arange(256, dtype=np.float32)
# Transforms that draw from Python's generator alone
BY_PYTHON = (A.HorizontalFlip, A.VerticalFlip, A.Affine, A.RandomBrightnessContrast)
