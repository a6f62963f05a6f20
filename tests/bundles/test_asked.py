"""Which images a judge's machine asks for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toys import paint, toy_tree

from comp.bundles.asked import read_asked
from comp.bundles.contents import SampleForm
from comp.config.loading import make_config
from comp.core.errors import DataError
from comp.tasks.kinds import TASKS


@pytest.fixture
def bundle() -> Any:
    """As much of a bundle as is asked."""
    config = make_config(toy_tree("binary"))
    return SimpleNamespace(
        config=config, task=TASKS["binary"], classes=("0", "1"), sample=SampleForm(None)
    )


def test_all_images_are_asked_for_without_a_list(bundle: Any, tmp_path: Path) -> None:
    for name in ("b", "a"):
        paint(tmp_path / f"images/{name}.png", 100, seed=0, size=8)
    found = read_asked(bundle, tmp_path / "images", tmp_path)
    assert (found.index.ids, found.missing, found.sample) == (("a.png", "b.png"), (), None)


def test_an_id_without_a_file_is_missing_and_has_a_grey_image(bundle: Any, tmp_path: Path) -> None:
    paint(tmp_path / "images/a.png", 100, seed=0, size=8)
    sample = tmp_path / "sample.csv"
    sample.write_text("id,label\na,0\ngone,0\n", encoding="utf-8")
    found = read_asked(bundle, tmp_path / "images", tmp_path, sample=sample)
    assert (found.index.ids, found.missing) == (("a", "gone"), ("gone",))
    assert found.index.paths[1].is_file()


def test_a_folder_without_any_of_them_is_an_error(bundle: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        read_asked(bundle, tmp_path / "images", tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="no images"):
        read_asked(bundle, tmp_path / "images", tmp_path)
