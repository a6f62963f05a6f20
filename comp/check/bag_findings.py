"""What there is to say of bags of images with one answer each (`data.bag`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from comp.check.findings import Finding
from comp.check.leakage import number_leaks
from comp.core.errors import DataError
from comp.data.bags.collect import bagged
from comp.data.index.index import Index


def bag_findings(train: Index, test: Index) -> Iterator[Finding]:
    """How many bags there are of which sizes, in both sets; an error where images of one have
    several labels; a warning where the size of a bag tells its class.

    train, test: of images, with their places in bags; nothing without.
    """
    for part, index in (("training", train), ("test", test)):
        if index.places is None:
            continue
        _, counts = np.unique([bag for bag, _ in index.places], return_counts=True)
        yield Finding(
            "note",
            f"{len(index)} {part} images are in {len(counts)} bags of {counts.min()} to "
            f"{counts.max()}, half of them of {int(np.median(counts))} or more (data.bag)",
        )
    if train.places is None:
        return
    try:
        bags = bagged(train)
    except DataError as problem:
        yield Finding("error", str(problem))
        return
    assert bags.bags is not None
    sizes = np.array([len(rows) for rows in bags.bags.rows], dtype=np.float64)
    hot = bags.cells if bags.labels.ndim == 1 or bags.measured else bags.labels
    for leak in number_leaks({"size of the bag": sizes}, bags.strata, hot):
        yield Finding(
            "warning",
            f"class {leak.name!r} can be recognised by the number of images in its bag alone "
            f"({leak.how}; {leak.right:.0%} right): does the test set have such bags too?",
        )
