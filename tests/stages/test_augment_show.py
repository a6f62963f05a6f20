"""The contact sheet of augmented images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.rng import derive
from comp.data.images.decode import read_image
from comp.data.images.resize import fit
from comp.data.loader.recipes import make_recipe
from comp.report.overlay import COLOURS
from comp.stages import augment_show
from comp.stages.augment_show import show_augmentation
from comp.stages.experiment import open_experiment

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was given to the contact sheet."""
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        augment_show, "contact_sheet", lambda *given, columns: drawn.append((*given, columns))
    )
    return drawn


def test_a_row_is_an_image_then_the_draws_of_the_first_epochs(toy: Toy, sheets: list[Any]) -> None:
    experiment = open_experiment(make_config(toy("multiclass", 6, augment__recipe="heavy")))
    show_augmentation(experiment, Path("out.png"), images=3, draws=2)
    ((pictures, titles, path, columns),) = sheets
    assert (path, columns) == (Path("out.png"), 3)
    ids = ["00000: 0", "00001: 1", "00005: 2"]  # spread over the classes
    assert titles == [text for name in ids for text in (name, "", "")]
    image = fit(read_image(Path("input/train/00001.png")), 24, "stretch")
    assert (pictures[3] == image).all()
    recipe = make_recipe("heavy", 24)
    for draw in (0, 1):
        seed = derive(42, "augment", 0, draw, 1)
        assert (pictures[4 + draw] == recipe(image, seed)).all()
    assert (pictures[4] != pictures[5]).any()


def test_more_images_than_there_are_shows_each_once(toy: Toy, sheets: list[Any]) -> None:
    experiment = open_experiment(make_config(toy("binary", 4)))
    show_augmentation(experiment, Path("out.png"), images=20, draws=1)
    assert sheets[0][1][::2] == ["00000: 0", "00002: 0", "00001: 1", "00003: 1"]


def test_masks_are_turned_with_their_images(toy: Toy, sheets: list[Any]) -> None:
    experiment = open_experiment(make_config(toy("segmentation", 4, augment__recipe="flips")))
    show_augmentation(experiment, Path("out.png"), images=4, draws=3)
    pictures = sheets[0][0]
    colours = [int((np.asarray(p) == COLOURS[0]).all(axis=2).sum()) for p in pictures]
    rows = [colours[k : k + 4] for k in range(0, 16, 4)]
    assert sorted(map(max, rows))[:2] == [0, 0]  # of four images two have the disc
    for first, *augmented in rows:
        assert augmented == [first] * 3  # a flip keeps how much is outlined


def test_the_sheet_is_a_png(toy: Toy) -> None:
    experiment = open_experiment(make_config(toy("binary", 4)))
    show_augmentation(experiment, Path("out.png"), images=1, draws=1)
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")
