import numpy as np
import pytest
import torch
from cards import Card
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, multilabel_confusion_matrix

from comp.tasks.counts import (
    IGNORED,
    RATIOS,
    class_scores,
    count_maps,
    count_pixels,
    decided,
    image_scores,
    pixel_accuracy,
)
from comp.tasks.kinds import TASKS


def drawn(layers: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    shape = (layers, 9, 7)
    return draw.integers(classes, size=shape).astype(np.uint8), draw.integers(
        classes, size=shape
    ).astype(np.uint8)


def sklearn_counts(truth: np.ndarray, said: np.ndarray, columns: int) -> np.ndarray:
    table = multilabel_confusion_matrix(truth.ravel(), said.ravel(), labels=range(columns))
    return np.stack([table[:, 1, 1], table[:, 0, 1], table[:, 1, 0], table[:, 0, 0]], axis=1)


def test_one_class_a_pixel_is_counted_as_sklearn_counts() -> None:
    truth, said = drawn(1, 4)
    assert (count_pixels(truth, said, 4) == sklearn_counts(truth, said, 4)).all()


def test_layers_are_counted_as_sklearn_counts() -> None:
    truth, said = drawn(3, 2)
    expected = [sklearn_counts(t, s, 2)[1] for t, s in zip(truth, said, strict=True)]
    assert (count_pixels(truth, said, 3) == np.stack(expected)).all()


@pytest.mark.parametrize(("layers", "columns"), [(1, 4), (3, 3)])
def test_pixels_that_are_not_judged_do_not_count(layers: int, columns: int) -> None:
    truth, said = drawn(layers, 4 if layers == 1 else 2)
    ignored = truth.copy()
    ignored[:, :, 3:] = IGNORED
    expected = count_pixels(truth[:, :, :3], said[:, :, :3], columns)
    assert (count_pixels(ignored, said, columns) == expected).all()


def test_scores_are_those_of_sklearn() -> None:
    truth, said = drawn(1, 4)
    counts = count_pixels(truth, said, 4)[None]
    flat = truth.ravel(), said.ravel()
    assert class_scores(counts, RATIOS["dice"]) == pytest.approx(f1_score(*flat, average=None))
    assert class_scores(counts, RATIOS["iou"]) == pytest.approx(jaccard_score(*flat, average=None))


def test_accuracy_of_layers_is_the_share_of_right_cells() -> None:
    truth, said = drawn(3, 2)
    counts = count_pixels(truth, said, 3)[None]
    expected = accuracy_score(truth.ravel(), said.ravel())
    assert pixel_accuracy(counts, np.ones((1, 1))) == pytest.approx([expected])


def test_weights_are_images_drawn_again() -> None:
    counts = np.arange(24).reshape(2, 3, 4)
    weighted = class_scores(counts, RATIOS["dice"], np.array([[2.0, 0.0], [1.0, 1.0]]))
    again = class_scores(np.concatenate([counts[:1]] * 2), RATIOS["dice"])
    assert weighted[0] == pytest.approx(again)
    assert weighted[1] == pytest.approx(class_scores(counts, RATIOS["dice"]))


def test_a_class_that_is_nowhere_has_no_score_but_an_image_without_it_is_right() -> None:
    counts = np.array([[[0, 0, 0, 9], [0, 1, 0, 8], [2, 1, 1, 5]]])
    assert np.isnan(class_scores(counts, RATIOS["dice"])[0])
    assert image_scores(counts, RATIOS["dice"])[0].tolist() == [1.0, 0.0, pytest.approx(2 / 3)]
    assert image_scores(counts, RATIOS["recall"])[0].tolist() == [1.0, 0.0, pytest.approx(2 / 3)]


KINDS = ["segmentation", "multilabel_segmentation"]


def maps(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three columns with ties, and masks with pixels that are not judged."""
    draw = np.random.default_rng(0)
    probs = draw.integers(0, 5, (4, 3, 9, 11)).astype(np.float32) / 4
    layers = 1 if TASKS[kind].link.normalized else 3
    truth = draw.integers(0, 3 if layers == 1 else 2, (4, layers, 9, 11)).astype(np.uint8)
    truth[draw.random(truth.shape) < 0.2] = IGNORED
    truth[2] = IGNORED
    return probs, truth


@pytest.mark.parametrize("kind", KINDS)
def test_decisions_and_counts_are_those_of_numpy(kind: str) -> None:
    probs, truth = maps(kind)
    labels = decided(torch.from_numpy(probs), normalized=TASKS[kind].link.normalized)
    expected = TASKS[kind].decide(probs)
    np.testing.assert_array_equal(labels, expected)
    found = count_maps(torch.from_numpy(truth), labels, 3)
    assert found.dtype == torch.int64
    for image in range(4):
        np.testing.assert_array_equal(found[image], count_pixels(truth[image], expected[image], 3))


def test_one_column_is_a_layer() -> None:
    truth = torch.tensor([[[[1, 0], [1, IGNORED]]]], dtype=torch.uint8)
    labels = torch.tensor([[[[1, 1], [0, 1]]]], dtype=torch.uint8)
    assert count_maps(truth, labels, 1).tolist() == [[[1, 1, 1, 0]]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_counts_alike_and_nobody_waits(kind: str, card: Card) -> None:
    probs, truth = (torch.from_numpy(part) for part in maps(kind))
    normalized = TASKS[kind].link.normalized
    expected = count_maps(truth, decided(probs, normalized=normalized), 3)
    probs, truth = probs.to(card.place), truth.to(card.place)
    with card.nobody_waits():
        found = count_maps(truth, decided(probs, normalized=normalized), 3)
    assert found.cpu().equal(expected)
