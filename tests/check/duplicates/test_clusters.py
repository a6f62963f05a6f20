"""Copies on the disk, from the images to the groups."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from toys import save, scene

from comp.check.duplicates import pair_evidence
from comp.check.duplicates.clusters import CERTAIN, LIKELY, Cluster, CopyLink, find_links, join
from comp.check.image_stats import measure_images


def spun(pixels: np.ndarray, degrees: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    spin = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(pixels, spin, (width, height), borderMode=cv2.BORDER_REFLECT_101)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twelve scenes, and copies of some in the ways that occur."""
    folder = tmp_path_factory.mktemp("copied")
    scenes = {f"s{seed:02d}": scene(seed) for seed in range(12)}
    made = {
        **{f"{name}.png": pixels for name, pixels in scenes.items()},
        "exact.png": scenes["s00"],
        "saved.jpg": cv2.resize(scenes["s01"], (150, 150), interpolation=cv2.INTER_AREA),
        "quarter.png": np.ascontiguousarray(np.rot90(scenes["s02"])),
        "flipped.png": np.ascontiguousarray(scenes["s03"][:, ::-1]),
        "spun.png": spun(scenes["s04"], 20),
        "spun_and_flipped.png": np.ascontiguousarray(spun(scenes["s05"], 50)[::-1]),
        "darker_crop.png": (scenes["s06"][10:170, 20:185] * 0.5).astype(np.uint8),
        "u_jpg.rf.00112233445566778899.png": scene(50),
        "u_jpg.rf.99887766554433221100.png": scene(51),
    }
    return {name: save(folder / name, pixels) for name, pixels in sorted(made.items())}


def test_every_kind_of_copy_is_found_and_nothing_else(
    copied: dict[str, Path], tmp_path: Path
) -> None:
    names = list(copied)
    links = find_links(names, measure_images(list(copied.values()), tmp_path), tmp_path)
    groups, backgrounds = join(links, len(names), CERTAIN)
    assert backgrounds == []
    found = {tuple(names[row] for row in group.rows): group.kinds for group in groups}
    assert found == {
        ("exact.png", "s00.png"): ("exact",),
        ("s01.png", "saved.jpg"): ("reencoded",),
        ("quarter.png", "s02.png"): ("turned",),
        ("flipped.png", "s03.png"): ("turned",),
        ("s04.png", "spun.png"): ("near",),
        ("s05.png", "spun_and_flipped.png"): ("near",),
        ("darker_crop.png", "s06.png"): ("near",),
        tuple(name for name in names if ".rf." in name): ("family",),
    }


def test_a_second_check_compares_nothing_again(
    copied: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats = measure_images(list(copied.values()), tmp_path)
    links = find_links(list(copied), stats, tmp_path)
    monkeypatch.setattr(pair_evidence, "compare", None)
    assert (
        find_links(list(copied), measure_images(list(copied.values()), tmp_path), tmp_path) == links
    )
    for torn in tmp_path.glob("*.npy"):
        torn.write_bytes(b"\x93NUMPY")
    with pytest.raises(TypeError):
        find_links(list(copied), stats, tmp_path)


def test_links_below_the_threshold_do_not_join() -> None:
    links = [CopyLink(0, 1, "near", 0.9), CopyLink(1, 2, "exact", 1.0), CopyLink(3, 4, "near", 0.7)]
    assert join(links, 5, LIKELY) == ([Cluster((0, 1, 2), ("exact", "near"), 0.9)], [])
    assert join(links, 5, CERTAIN) == ([Cluster((1, 2), ("exact",), 1.0)], [])


def test_one_doubtful_link_does_not_join_two_large_clusters() -> None:
    sure = [CopyLink(a, a + 1, "exact", 1.0) for a in (0, 1, 3, 4)]
    doubtful = CopyLink(2, 3, "near", 0.85)
    assert [c.rows for c in join([*sure, doubtful], 6, LIKELY)[0]] == [(0, 1, 2), (3, 4, 5)]
    second = CopyLink(0, 5, "near", 0.82)
    assert [c.rows for c in join([*sure, doubtful, second], 6, LIKELY)[0]] == [(0, 1, 2, 3, 4, 5)]


def test_a_background_that_many_share_is_no_group() -> None:
    links = [CopyLink(0, row, "near", 0.98) for row in range(1, 60)]
    assert [len(c.rows) for c in join(links, 100, LIKELY)[1]] == [60]
    assert [len(c.rows) for c in join(links, 1000, LIKELY)[0]] == [60]
    exact = [CopyLink(0, row, "exact", 1.0) for row in range(1, 60)]
    assert [len(c.rows) for c in join(exact, 100, LIKELY)[0]] == [60]
