"""Toy competitions whose answers are of bags: patients with several images of different number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toys import paint, toy_tree, write_csv

BAGS, TESTS, SIZE = 16, 4, 16


def sizes(number: int) -> int:
    """How many images a bag has: 2 to 6."""
    return 2 + number * 7 % 5


def lay_bags(root: Path, bags: int = BAGS, *, group: bool = False) -> None:
    """`train.csv` with a row per image (id, patient, slice, label), `test.csv` and a sample of
    patients; what is odd is bright. group: a column `hospital` of two patients each."""
    rows: list[list[Any]] = []
    tests: list[list[Any]] = []
    for number in range(bags + TESTS):
        test = number >= bags
        bag = f"{'t' if test else 'p'}{number:02d}"
        for place in range(sizes(number)):
            # Ids in another order than the slices, and bags mixed through the table
            name = f"{(place * 5 + 3) % 8}{number:02d}"
            level = 50 + 90 * (number % 2) + 5 * place
            paint(root / ("test" if test else "train") / f"{name}.png", level, number, SIZE)
            row = [name, bag, place, number % 2]
            (tests if test else rows).append(row + [f"h{number // 2}"] * group)
    header = ["id", "patient", "slice", "label", *(["hospital"] * group)]
    write_csv(root / "train.csv", [header, *sorted(rows)])
    write_csv(root / "test.csv", [header[:3], *(row[:3] for row in sorted(tests))])
    named = sorted({row[1] for row in tests}, reverse=True)
    write_csv(root / "sample_submission.csv", [["patient", "label"], *([n, 0] for n in named)])


def lay_videos(root: Path, bags: int = 12) -> None:
    """`train.csv` with a row per video (id, label) and a folder of frames each; what gets brighter
    is of class 1, and frame_10 comes after frame_9."""
    rows: list[list[Any]] = []
    for number in range(bags + TESTS):
        test, rising = number >= bags, number % 2
        bag, count = f"v{number:02d}", 8 + number % 5
        for place in range(count):
            way = place if rising else count - 1 - place
            file = root / ("test" if test else "train") / bag / f"frame_{place}.png"
            paint(file, 30 + 190 * way / (count - 1), number * 100 + place, SIZE)
        if not test:
            rows.append([bag, rising])
    write_csv(root / "train.csv", [["id", "label"], *rows])
    names = [[f"v{number:02d}", 0] for number in range(bags, bags + TESTS)]
    write_csv(root / "sample_submission.csv", [["id", "label"], *names])


def bag_tree(**over: Any) -> dict[str, Any]:
    """The config of `lay_bags`; it trains in a second."""
    own = {
        "data__bag": "patient",
        "data__bag_order": "slice",
        "data__test_csv": "test.csv",
        "image__size": SIZE,
        "image__bag_size": 3,
        "train__batch_size": 4,
        "augment__recipe": "light",
        "model__bag_width": 8,
    }
    return toy_tree("binary", **{**own, **over})


def video_tree(**over: Any) -> dict[str, Any]:
    """The config of `lay_videos`."""
    own = {"data__bag": "folder", "data__bag_order": None, "data__test_csv": None}
    return bag_tree(**{**own, "image__bag_size": 6, "model__pool_bag": "gru", **over})
