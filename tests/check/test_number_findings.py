from pathlib import Path

import numpy as np

from comp.check.number_findings import number_findings
from comp.data.index.index import Index


def texts(numbers: np.ndarray) -> list[str]:
    ids = tuple(f"{row:03d}" for row in range(len(numbers)))
    index = Index(ids, tuple(map(Path, ids)), ("size",), numbers[:, None])
    return [finding.text for finding in number_findings(index)]


def test_numbers_far_from_the_others_are_named() -> None:
    numbers = np.random.default_rng(0).normal(50, 5, 200)
    assert texts(numbers) == []
    numbers[7] = 5000.0
    found = texts(numbers)
    assert found[0].startswith("'size': 1 numbers are far from the others")
    assert "007 (5000)" in found[0]
    assert "log1p" in found[1]


def test_a_number_that_most_rows_have_is_told() -> None:
    numbers = np.r_[np.zeros(60), np.linspace(1, 9, 40)]
    assert texts(numbers) == ["'size': 60 of 100 numbers are 0"]
