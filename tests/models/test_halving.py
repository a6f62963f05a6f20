"""Forward passes that do not fit are made in halves."""

from __future__ import annotations

import pytest
import torch

from comp.core.errors import ModelError
from comp.models.halving import Halving

IMAGES = torch.arange(20 * 3 * 2 * 2).view(20, 3, 2, 2)


def card(fits: int, seen: list[int], text: str = "CUDA out of memory") -> object:
    """A forward pass that takes so many images."""

    def forward(images: torch.Tensor) -> torch.Tensor:
        if len(images) > fits:
            raise torch.OutOfMemoryError(text)
        seen.append(len(images))
        return images.sum(dim=(1, 2, 3))

    return forward


def test_images_are_halved_until_they_fit_and_stay_so(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []
    halving = Halving(32, "fold 0 test")
    for _ in range(2):
        out = halving(card(6, seen), IMAGES)  # type: ignore[arg-type]
        assert torch.equal(out, IMAGES.sum(dim=(1, 2, 3)))
    assert seen == [5] * 8
    assert capsys.readouterr().err.splitlines() == [
        "fold 0 test: out of device memory; continuing with 10 images at a time",
        "fold 0 test: out of device memory; continuing with 5 images at a time",
    ]


def test_not_even_one_image_is_a_clear_error() -> None:
    with pytest.raises(ModelError, match=r"fold 0: the memory .* one image of 2 x 2 px"):
        Halving(4, "fold 0")(card(0, []), IMAGES)  # type: ignore[arg-type]


def test_another_error_is_not_a_matter_of_memory() -> None:
    def broken(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Halving(4, "fold 0")(broken, IMAGES)
