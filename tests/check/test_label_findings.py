"""Findings about classes and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from comp.check.findings import Finding
from comp.check.label_findings import label_findings
from comp.data.index.index import Index


def index(labels: list[int], classes: tuple[str, ...]) -> Index:
    ids = tuple(f"{n:02d}" for n in range(len(labels)))
    return Index(ids, tuple(Path(n) for n in ids), classes, np.array(labels))


def index_of_columns(marks: np.ndarray, classes: tuple[str, ...]) -> Index:
    ids = tuple(f"{n:02d}" for n in range(len(marks)))
    return Index(ids, tuple(map(Path, ids)), classes, marks)


def test_rare_classes_and_names_that_are_nearly_equal_are_warnings() -> None:
    found = list(label_findings(index([0] * 8 + [1] * 3 + [2] * 9, ("Cat", "cat ", "dog")), 5))
    assert found == [
        Finding("warning", "classes with few images for 5 folds: 'cat  (3)'"),
        Finding(
            "warning",
            "class names that differ only in case or spaces: 'Cat', 'cat '. If they are one "
            "class: data.rename: {'cat ': Cat}",
        ),
    ]


def test_of_spellings_with_as_many_images_the_plain_one_is_kept() -> None:
    names = ("Dog", "cat", "cat ", "dog")
    texts = [f.text for f in label_findings(index([0, 1, 2, 3] * 6, names), 5)]
    assert [text.rpartition("data.rename: ")[2] for text in texts] == [
        "{Dog: dog}",
        "{'cat ': cat}",
    ]


def test_labels_that_always_occur_together_are_a_warning() -> None:
    marks = np.array([[1, 1, 0], [0, 0, 1]] * 6)
    made = index_of_columns(marks, ("a", "b", "c"))
    assert [f.text for f in label_findings(made, 5)] == [
        "labels that always occur together: 'a = b'"
    ]


def test_labels_of_no_image_and_of_every_image_are_warnings() -> None:
    made = index_of_columns(np.array([[1, 0, 1], [1, 0, 0]] * 6), ("all", "none", "half"))
    assert [f.text for f in label_findings(made, 5)][1:] == [
        "no image has the label 'none'",
        "every image has the label 'all'",
    ]
    assert list(label_findings(index_of_columns(np.array([[1, 0], [0, 0]] * 6), ("a", "b")), 5))[
        -1
    ] == Finding(
        "note",
        "6 training images have no label: '01', '03', '05' and 3 more",
        tuple(f"{n:02d}" for n in range(1, 12, 2)),
    )


def test_unknown_cells_are_told_and_are_neither_labels_nor_their_absence() -> None:
    marks = np.array([[1, -1], [1, 0], [-1, -1], [-1, 1]] * 5)
    found = list(label_findings(index_of_columns(marks, ("a", "b")), 5))
    assert [(f.level, f.text) for f in found] == [
        ("warning", "every image has the label 'a'"),
        (
            "note",
            "unknown labels, which cost no loss and no score: a 10, b 10, of 20 images",
        ),
        ("warning", "5 training images of which no label is known: '02', '06', '10' and 2 more"),
    ]
