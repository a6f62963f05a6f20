"""What is packed, where it lies, and what is made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.errors import DataError
from comp.stages import pack as stage
from comp.stages.experiment import open_experiment
from comp.stages.pack import Packed, pack

Toy = Callable[..., dict[str, Any]]


def packed(tree: dict[str, Any], *, verify: bool = False) -> list[Packed]:
    return pack(open_experiment(make_config(tree)), verify=verify)


def test_training_and_test_images_have_a_folder_each(toy: Toy) -> None:
    train, test = packed(toy("binary", 8, image__size=8))
    assert [(each.part, each.images) for each in (train, test)] == [("train", 8), ("test", 6)]
    for each in (train, test):
        assert each.folder is not None
        assert each.folder.parent == Path("cache")
        assert each.bytes == sum(path.stat().st_size for path in each.folder.iterdir())
        assert np.load(each.folder / "images.npy").shape == (each.images, 8, 8, 3)
        assert each.seconds > 0
    assert train.folder != test.folder


def test_masks_are_a_part_of_their_own(toy: Toy) -> None:
    tree = toy("segmentation", 4)
    parts = packed(tree)
    assert [(each.part, each.images) for each in parts] == [("train", 4), ("test", 6), ("masks", 4)]
    folder = parts[2].folder
    assert folder is not None
    assert np.load(folder / "masks.npy").shape == (4, 32, 32, 1)
    own = packed({**tree, "image": {"size": 32, "resize": "none"}})
    assert [each.part for each in own] == ["train", "test"]  # made each time from their files


def test_nothing_is_kept_where_packing_is_off(toy: Toy) -> None:
    parts = packed(toy("binary", 4, image__pack="none"))
    assert [(each.folder, each.bytes) for each in parts] == [(None, 0), (None, 0)]
    assert not Path("cache").exists()


@pytest.mark.parametrize("verify", [False, True])
def test_every_row_is_compared_where_that_is_asked_for(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, verify: bool
) -> None:
    asked = []
    real = stage.open_pack

    def open_pack(*given: Any, verify: bool, **more: Any) -> Any:
        asked.append((verify, more.get("masks", True)))
        return real(*given, verify=verify, **more)

    monkeypatch.setattr(stage, "open_pack", open_pack)
    packed(toy("segmentation", 4), verify=verify)
    assert asked == [(verify, False), (verify, False), (verify, True)]


def test_images_that_cannot_be_read_are_all_named(toy: Toy) -> None:
    tree = toy("binary", 4)
    for number in (1, 3):
        Path(f"input/train/{number:05d}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)00001.*00003"):
        packed(tree)
