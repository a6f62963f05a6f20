from dataclasses import replace
from pathlib import Path

import numpy as np

from comp.check.bag_findings import bag_findings
from comp.data.index.index import Index


def index(sizes: list[int], labels: list[int]) -> Index:
    """A bag of each size; its images have its label."""
    bags = [(f"b{n:02d}", m) for n, size in enumerate(sizes) for m in range(size)]
    ids = tuple(f"{name}_{place}" for name, place in bags)
    target = np.repeat(labels, sizes)
    return Index(ids, tuple(map(Path, ids)), ("no", "yes"), target, places=tuple(bags))


def test_bags_are_counted_in_both_sets() -> None:
    train, test = index([2, 3, 5], [0, 1, 0]), replace(index([4], [0]), target=None)
    found = list(bag_findings(train, test))
    assert [finding.level for finding in found] == ["note", "note"]
    assert "10 training images are in 3 bags of 2 to 5, half of them of 3" in found[0].text
    assert "4 test images are in 1 bags" in found[1].text
    assert list(bag_findings(replace(train, places=None), replace(test, places=None))) == []


def test_a_size_that_tells_the_class_is_a_warning() -> None:
    train = index([6] * 20 + [1] * 20, [0] * 20 + [1] * 20)
    texts = [f.text for f in bag_findings(train, Index((), (), ())) if f.level == "warning"]
    assert any("class 'yes' can be recognised by the number of images in its bag" in text
               for text in texts)  # fmt: skip
    mixed = index([1, 6] * 20, [0] * 20 + [1] * 20)
    assert not [f for f in bag_findings(mixed, Index((), (), ())) if f.level == "warning"]


def test_a_bag_with_several_labels_is_an_error() -> None:
    train = index([2, 2], [0, 1])
    torn = replace(train, target=np.array([0, 1, 1, 1]))
    (error,) = [f for f in bag_findings(torn, Index((), (), ())) if f.level == "error"]
    assert "'b00' ('no', 'yes')" in error.text
