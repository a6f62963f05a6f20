"""Candidate pairs: the right ones are among them, and they are few."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from toys import scene

from comp.check.duplicates import candidate_pairs
from comp.check.duplicates.candidate_pairs import same_frame, shared_words
from comp.check.duplicates.sift import find_features


def described(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    features = [find_features(picture) for picture in pictures]
    owner = np.repeat(np.arange(len(pictures)), [len(f) for f in features])
    return np.concatenate([f.words for f in features]), owner


def test_images_with_features_in_common_are_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_pairs, "_NEIGHBOURS", 1)
    pictures = [scene(seed) for seed in range(20)]
    flipped = [np.ascontiguousarray(pictures[seed][:, ::-1]) for seed in (5, 6, 7, 8)]
    pictures += [pictures[4][15:, 20:], *flipped]
    words, owner = described(pictures)
    found = shared_words(words, owner, len(pictures))
    assert (4, 20, False) in found
    assert {(5, 21, True), (6, 22, True), (7, 23, True), (8, 24, True)} <= {*found}
    assert found == sorted(set(found))
    assert len(found) <= 2 * len(pictures)
    assert all(0 <= i < j < len(pictures) for i, j, _ in found)


def test_candidates_do_not_depend_on_the_run() -> None:
    words, owner = described([scene(seed) for seed in range(12)])
    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002  (a global state must not matter)
        cv2.setRNGSeed(seed)
        found.append(shared_words(words, owner, 12))
    assert found[0] == found[1] != []


def test_with_few_features_every_pair_is_a_candidate() -> None:
    words, owner = described([np.full((40, 40, 3), 90, np.uint8)] * 3)
    assert shared_words(words, owner, 3) == [
        (i, j, mirrored) for i, j in ((0, 1), (0, 2), (1, 2)) for mirrored in (False, True)
    ]
    assert shared_words(words, owner, 0) == []


def test_images_of_one_frame_are_candidates() -> None:
    pictures = [cv2.resize(scene(seed % 9), (64, 64))[:, :, 0] for seed in range(20)]
    found = same_frame(np.stack(pictures))
    assert {(0, 9), (0, 18), (9, 18), (8, 17)} <= {*found}
    assert found == sorted({*found})
