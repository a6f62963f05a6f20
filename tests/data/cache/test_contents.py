import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import regions

from comp.config.loading import make_config
from comp.core.errors import DataError
from comp.data.cache.contents import CONTENTS
from comp.data.cache.pack import open_pack
from comp.data.images.resize import fit_mask
from comp.data.index.index import Index
from comp.data.layouts.layouts import read_index
from comp.data.masks.file_source import FileSource
from comp.tasks.kinds import TASKS

Toy = Callable[..., dict[str, Any]]
CACHE = Path("cache")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images whose masks are made, one after another."""
    names: list[str] = []
    own = FileSource.read

    def read(self: FileSource) -> Any:
        names.append(self.path.stem)
        return own(self)

    monkeypatch.setattr(FileSource, "read", read)
    return names


def opened(tree: dict[str, Any]) -> tuple[Index, Any]:
    config = make_config(tree)
    index = read_index(config.data, TASKS[config.task])

    def make() -> np.ndarray:
        masks = open_pack(index, config.image, CACHE).masks
        assert masks is not None
        return np.stack([masks[row] for row in range(len(index))])

    return index, make


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_the_pack_holds_the_fitted_masks(toy: Toy, resize: str) -> None:
    _, make = opened(toy("segmentation", 6, image__resize=resize))
    expected = [fit_mask(regions(seed)[1][..., None], 32, resize) for seed in range(6)]
    assert (make() == np.stack(expected)).all()


def test_a_whole_pack_is_not_made_again(toy: Toy, reads: list[str]) -> None:
    _, make = opened(toy("multilabel_segmentation", 6))
    first = make()
    reads.clear()
    assert (make() == first).all()
    assert first.shape == (6, 32, 32, 2)
    assert reads == []


def test_a_build_that_was_interrupted_leaves_nothing_wrong(
    toy: Toy, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from comp.data.cache import contents

    monkeypatch.setattr("comp.data.cache.build._BEAT", 0.0, raising=False)
    _, make = opened(toy("segmentation", 12))
    expected = make()
    for path in sorted(CACHE.glob("masks-*/*")):
        path.unlink()
    reads.clear()
    own, made = contents.fit_mask, []

    def dying(mask: Any, size: int, resize: str) -> Any:
        made.append(1)
        if len(made) > 8:
            raise KeyboardInterrupt
        return own(mask, size, resize)

    monkeypatch.setattr(contents, "fit_mask", dying)
    with pytest.raises(KeyboardInterrupt):
        make()
    assert not list(CACHE.glob("masks-*/manifest.json"))
    monkeypatch.setattr(contents, "fit_mask", own)
    assert (make() == expected).all()


def test_a_changed_mask_is_packed_anew(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    tree = toy("segmentation", 6)
    before = opened(tree)[1]()
    path = Path("input/train_masks/00001.png")
    path.write_bytes(Path("input/train_masks/00002.png").read_bytes())
    after = opened(tree)[1]()
    assert [bool((a == b).all()) for a, b in zip(before, after, strict=True)] == [
        True, False, True, True, True, True,
    ]  # fmt: skip
    assert (after[1] == after[2]).all()
    assert "1 masks have changed: '00001.png'; packing again" in "".join(capsys.readouterr())


def test_a_cut_pack_is_packed_anew(toy: Toy) -> None:
    tree = toy("segmentation", 6)
    expected = opened(tree)[1]()
    path = next(CACHE.glob("masks-*/masks.npy"))
    path.write_bytes(path.read_bytes()[:-100])
    assert (opened(tree)[1]() == expected).all()


def test_images_without_masks_have_no_pack(toy: Toy) -> None:
    config = make_config(toy("binary"))
    index = read_index(config.data, TASKS["binary"])
    assert open_pack(index, config.image, CACHE).masks is None
    assert not list(CACHE.glob("masks-*"))
    with pytest.raises(DataError, match="these images have no masks"):
        CONTENTS["masks"](index, config.image)


DYING = """
import os, sys
from comp.config.loading import load_config
from comp.data.cache import build, pack
from comp.data.layouts.layouts import read_index
from comp.tasks.kinds import TASKS
from pathlib import Path
build._COMMIT_BYTES = 3 * 32 * 32
add, seen = build.Build._add, []
def dying(self, made, payloads):
    seen.append(self.name == "masks")
    if sum(seen) > int(sys.argv[1]):
        payloads.write(b"half a row"); payloads.flush()
        os._exit(137)
    add(self, made, payloads)
build.Build._add = dying
config = load_config(Path("toy.yaml"))
pack.open_pack(read_index(config.data, TASKS[config.task]), config.image, Path("cache"))
"""


@pytest.mark.parametrize(("row", "kept"), [(1, 0), (8, 6), (11, 9)])
def test_a_killed_build_goes_on_from_its_last_good_row(
    toy: Toy, reads: list[str], row: int, kept: int
) -> None:
    tree = toy("segmentation", 12)
    Path("toy.yaml").write_text(json.dumps(tree))
    words = [sys.executable, "-c", DYING, str(row)]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 137
    _, make = opened(tree)
    reads.clear()
    found = make()
    assert len(reads) == 12 - kept
    expected = [fit_mask(regions(seed)[1][..., None], 32, "stretch") for seed in range(12)]
    assert (found == np.stack(expected)).all()
    assert sorted(p.name for p in next(CACHE.glob("masks-*")).iterdir()) == [
        "manifest.json",
        "masks.npy",
        "rows.txt",
    ]
