"""A second data set beside a toy, and images without labels."""

from __future__ import annotations

from pathlib import Path

from toys import paint, write_csv


def lay_more(
    labels: tuple[str, ...], count: int = 6, root: str = "more", first: int = 500, size: int = 8
) -> None:
    """`count` images of each label in a table; the labels alternate dark and bright."""
    rows = [["id", "label"]]
    for number in range(count * len(labels)):
        place = number % len(labels)
        rows.append([f"m{number:02d}", labels[place]])
        paint(Path(root) / f"train/m{number:02d}.png", 40 + 80 * place, first + number, size=size)
    write_csv(Path(root) / "train.csv", rows)


def lay_unlabelled(count: int = 8, folder: str = "wild", size: int = 8) -> None:
    """Dark and bright images without labels."""
    for number in range(count):
        paint(Path(folder) / f"u{number}.png", 40 + 80 * (number % 2), 900 + number, size=size)
