"""Labelled images of another data set are read in the classes of this one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extra_toys import lay_more

from comp.config.loading import make_config
from comp.core.errors import DataError
from comp.data.images.pixel_form import PixelForm
from comp.data.index.index import Index
from comp.stages.experiment import open_experiment, read_test_images, read_train
from comp.stages.extras.external import External, read_external

Toy = Callable[..., dict[str, Any]]
MAP = {"dark": "0", "bright": "1"}


def read(toy: Toy, **extra: Any) -> list[External]:
    data = {"root": "input", "id": "id", "target": "label"}
    entry = {"root": "more", "target": ["label"], "map": MAP, **extra}
    experiment = open_experiment(make_config(toy(data={**data, "extra": [entry]})))
    index = read_train(experiment)
    test: Index = read_test_images(experiment, index.classes)
    return read_external(experiment, index, test, PixelForm())


def test_they_are_read_in_the_classes_of_the_experiment(planned: Toy) -> None:
    lay_more(("dark", "bright"))
    (found,) = read(planned, share=0.25)
    assert (found.index.classes, found.share) == (("0", "1"), 0.25)
    assert found.index.labels.tolist() == [0, 1] * 6


def test_copies_of_training_and_test_images_are_refused_or_dropped(planned: Toy) -> None:
    lay_more(("dark", "bright"))
    shutil.copy("input/train/00003.png", "more/train/m01.png")
    shutil.copy("input/test/t002.png", "more/train/m02.png")
    with pytest.raises(DataError) as caught:
        read(planned)
    assert "1 are copies of training images: 'm01 of 00003'" in str(caught.value)
    assert "1 are copies of test images: 'm02 of t002'" in str(caught.value)
    (found,) = read(planned, copies="drop")
    assert [name for name in ("m00", "m01", "m02") if name in found.index.ids] == ["m00"]
    for path in Path("more/train").iterdir():
        shutil.copy(f"input/train/{int(path.stem[1:]):05d}.png", path)
    with pytest.raises(DataError, match="nothing is left"):
        read(planned, copies="drop")


def test_what_is_wrong_there_names_the_other_data_set(planned: Toy) -> None:
    lay_more(("dark", "bright"))
    with pytest.raises(DataError, match=r"0 \(more\): no classes here: 'bright', 'dark'"):
        read(planned, map={})
    with pytest.raises(DataError, match=r"data\.extra\.0\.root: 'mor' does not exist"):
        read(planned, root="mor")
