"""Images of noise to pack, and what a pack of them must hold."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from comp.config.schema import ImageConfig
from comp.data.cache import contents
from comp.data.images.decode import read_image
from comp.data.images.resize import fit
from comp.data.index.index import Index

SMALL = ImageConfig(size=8)


def make_index(folder: Path, count: int = 40) -> Index:
    folder.mkdir(parents=True, exist_ok=True)
    ids = tuple(f"결함_{number:03d}" for number in range(count))
    paths = tuple(folder / f"{name}.png" for name in ids)
    draw = np.random.default_rng(0)
    for path in paths:
        image = draw.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return Index(ids, paths, ("a", "b"))


def expected(index: Index, image: ImageConfig = SMALL) -> np.ndarray:
    return np.stack([fit(read_image(path), image.size, image.resize) for path in index.paths])


def refuse_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "develop", lambda *content: pytest.fail("decoded"))


def only_folder(cache: Path) -> Path:
    """The folder of the only pack."""
    (folder,) = (path for path in cache.iterdir() if path.name != "digests")
    return folder


def only_build(cache: Path) -> Path:
    """The only build that was left."""
    (part,) = only_folder(cache).glob(".build.*.part")
    return part


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    plain = contents.develop
    monkeypatch.setattr(
        contents, "develop", lambda c, *more: seen.append(len(c[0])) or plain(c, *more)
    )
    return seen


def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no file had changed within the last seconds."""
    monkeypatch.setattr("comp.core.files._SETTLED", -(10**18))
