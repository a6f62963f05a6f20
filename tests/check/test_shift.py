"""Adversarial validation: a shift is told, noise and copies are none, weights undo the shift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.check import shift as module
from comp.check.image_stats import ImageStats
from comp.check.shift import find_shift, read_weights, shift_findings, write_weights


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TREES", 30)
    monkeypatch.setattr(module, "_ROUNDS", 60)


def stats(count: int, seed: int, level: Any = 0.5) -> ImageStats:
    """Noise images of a mean brightness."""
    draw = np.random.default_rng(seed)
    bright = np.broadcast_to(level, count) + draw.normal(0, 0.05, count)
    mean = np.clip(bright[:, None] + draw.normal(0, 0.01, (count, 3)), 0, 1)
    thumbs = np.clip(bright[:, None, None] * 255 + draw.normal(0, 9, (count, 64, 64)), 0, 255)
    return ImageStats(
        problem=np.full(count, "", dtype="U9"),
        digest=np.array([f"{seed}-{n}" for n in range(count)]),
        size=np.tile([64, 64, 900], (count, 1)),
        header=np.full((count, 4), "", dtype="U9"),
        mean=mean,
        std=np.full((count, 3), 0.1),
        thumbs=thumbs.astype(np.uint8),
        counts=np.zeros(count, np.int64),
        points=np.zeros((0, 2), np.float32),
        words=np.zeros((0, 128), np.uint8),
    )


def names(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_the_same_kind_of_images_is_no_shift() -> None:
    found = find_shift(stats(60, 1), stats(50, 2), range(110))
    assert found is not None
    assert found.low < 0.5 < found.high + 0.05
    assert not found.far
    (finding,) = shift_findings(found, names(60, "a"), names(50, "t"), "w.csv")
    assert finding.level == "note"


def test_brighter_test_images_are_told_with_what_gives_them_away(tmp_path: Path) -> None:
    level = np.where(np.arange(60) < 20, 0.7, 0.4)
    found = find_shift(stats(60, 1, level), stats(50, 2, 0.7), range(110))
    assert found is not None
    assert found.far
    assert found.auc > 0.75
    (finding,) = shift_findings(found, names(60, "a"), names(50, "t"), "w.csv")
    assert finding.level == "warning"
    assert "tells them apart" in finding.text
    assert any(word in finding.text for word in ("mean of", "brightness"))
    assert all(int(name[1:]) >= 20 for name in finding.ids if name.startswith("a"))
    assert found.weights[:20].mean() > 3 * found.weights[20:].mean()
    assert found.weights.mean() == pytest.approx(1)
    assert found.effective < 40
    path = tmp_path / "w.csv"
    write_weights(path, names(60, "a"), found)
    assert read_weights(path, names(60, "a")) == pytest.approx(found.weights, abs=1e-4)
    assert read_weights(path, names(61, "a")) is None
    write_weights(path, names(60, "a"), None)
    assert not path.exists()


def test_copies_inside_the_parts_do_not_look_like_a_shift() -> None:
    """Ten scenes in each part, six photographs of each: only their groups say that a photograph is
    recognised, not its part."""
    rows = np.repeat(np.arange(10), 6)
    levels = np.random.default_rng(5).uniform(0.1, 0.9, 20)
    train, test = stats(60, 3, levels[:10][rows]), stats(60, 4, levels[10:][rows])
    blind = find_shift(train, test, range(120))
    known = find_shift(train, test, [*rows.tolist(), *(rows + 10).tolist()])
    assert blind is not None
    assert known is not None
    assert blind.auc > known.auc
    assert not known.far


def test_other_groups_alone_are_no_shift() -> None:
    """Twenty people in training and ten in the test, six photographs of each; nobody says which
    test photographs are of one person."""
    people = np.random.default_rng(5).uniform(0.1, 0.9, 30)
    who = np.repeat(np.arange(30), 6)
    train, test = stats(120, 3, people[who[:120]]), stats(60, 4, people[who[120:]])
    alone = list(range(180))
    found = find_shift(train, test, [*who[:120].tolist(), *range(100, 160)], alone)
    assert found is not None
    assert found.usual > 0.52
    assert not found.far


def test_few_images_are_not_judged() -> None:
    assert find_shift(stats(20, 1), stats(50, 2), range(70)) is None
    assert list(shift_findings(None, [], [], "")) == []


def test_the_same_seed_finds_the_same() -> None:
    pair = [find_shift(stats(40, 1), stats(40, 2, 0.6), range(80)) for _ in (0, 1)]
    assert pair[0] is not None
    assert pair[1] is not None
    assert pair[0].auc == pair[1].auc
    assert (pair[0].weights == pair[1].weights).all()
