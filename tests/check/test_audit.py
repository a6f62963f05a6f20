"""Findings about files, labels and copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from toys import save, scene

from comp.check.audit import Finding, copy_findings, file_findings, label_findings, propose
from comp.check.duplicates.clusters import Link
from comp.check.image_stats import look
from comp.data.index.index import Index


def index(
    labels: list[int], classes: tuple[str, ...], groups: tuple[str, ...] | None = None
) -> Index:
    ids = tuple(f"{n:02d}" for n in range(len(labels)))
    return Index(ids, tuple(Path(n) for n in ids), classes, np.array(labels), groups)


def test_odd_files_are_notes_with_their_ids(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    made = {
        "deep.png": lambda p: Image.fromarray(np.full((20, 20), 9999, np.uint16)).save(p),
        "jpeg.png": lambda p: Image.fromarray(scene(1, 32)).save(p, format="JPEG"),
        "long.png": lambda p: save(p, scene(2, 400)[:20]),
        "plain.png": lambda p: save(p, scene(3, 32)),
        "see.png": lambda p: Image.fromarray(scene(3, 32)).convert("RGBA").save(p),
        "small.png": lambda p: save(p, scene(4, 8)),
        "turned.jpg": lambda p: Image.fromarray(scene(5, 32)).save(p, exif=exif),
    }
    paths = tuple(tmp_path / name for name in made)
    for name, paint in made.items():
        paint(tmp_path / name)
    found = file_findings("test", Index(tuple(made), paths, ()), look(paths, tmp_path / "c"))
    assert [(f.level, f.text.split(": ")[0], f.ids) for f in found] == [
        ("note", "1 test images are smaller than 16 pixels", ("small.png",)),
        ("note", "1 test images are very long and narrow", ("long.png",)),
        ("note", "1 test images have 16 bits (8 are kept)", ("deep.png",)),
        ("note", "1 test images have transparency (shown white)", ("see.png",)),
        ("note", "1 test images are turned upright by EXIF data", ("turned.jpg",)),
        ("note", "1 test images have a suffix of another format", ("jpeg.png",)),
    ]


def test_rare_and_twin_classes_are_warnings() -> None:
    found = list(label_findings(index([0] * 8 + [1] * 3 + [2] * 9, ("Cat", "cat ", "dog")), 5))
    assert found == [
        Finding("warning", "classes with few images, for 5 folds: 'cat  (3)'"),
        Finding("warning", "class names that differ in case or spaces only: 'Cat', 'cat '"),
    ]


def test_labels_that_stand_together_are_a_warning() -> None:
    marks = np.array([[1, 1, 0], [0, 0, 1]] * 6)
    ids = tuple(f"{n:02d}" for n in range(12))
    both = Index(ids, tuple(map(Path, ids)), ("a", "b", "c"), marks)
    assert [f.text for f in label_findings(both, 5)] == [
        "labels that always stand together: 'a = b'"
    ]


def test_groups_have_two_training_images_and_name_the_test_images() -> None:
    links = [
        Link(0, 1, "exact", 1.0),
        Link(0, 4, "near", 0.98),
        Link(2, 5, "exact", 1.0),
        Link(2, 3, "near", 0.85),
    ]
    copies, backgrounds = propose(["a", "b", "c", "d"], ["t", "u"], links)
    assert backgrounds == []
    assert [(g.name, g.ids, g.test_ids, g.confidence) for g in copies.copies] == [
        ("g0001", ("a", "b"), ("t",), 0.98)
    ]
    assert [(g.name, g.ids, g.test_ids) for g in copies.proposals] == [
        ("g0001", ("a", "b"), ("t",)),
        ("g0002", ("c", "d"), ("u",)),
    ]


def test_copies_that_a_group_holds_are_no_finding() -> None:
    links = [Link(0, 1, "reencoded", 0.99)]
    plain, held = index([0, 1], ("x", "y")), index([0, 1], ("x", "y"), ("p", "p"))
    copies, _ = propose(plain.ids, [], links)
    twice = "1 reencoded copies with different labels: '00 (x) = 01 (y)'"
    assert [f.text for f in copy_findings(held, held, [], links, copies)] == [twice]
    texts = [f.text for f in copy_findings(plain, plain, [], links, copies)]
    assert texts[0] == twice
    assert texts[1].startswith("2 training images are copies or near-copies of one another, in 1 ")


def test_what_is_certain_is_proposed_within_a_background_that_many_share() -> None:
    ids = [f"{n:03d}" for n in range(100)]
    chain = [Link(row, row + 1, "near", 0.8) for row in range(98)]
    second = [Link(row, row + 2, "near", 0.8) for row in range(98)]
    copies, backgrounds = propose(ids, [], [Link(7, 8, "exact", 1.0), *chain, *second])
    assert [len(cluster.rows) for cluster in backgrounds] == [100]
    assert [group.ids for group in copies.proposals] == [("007", "008")]
    assert copies.proposals == copies.copies
