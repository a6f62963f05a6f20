"""What the tests of printed tables and of drawn pictures share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def cells(out: str) -> list[list[str]]:
    """The rows of the tables in a printed text, without their heads."""
    lines = [line for line in out.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def heads(out: str) -> list[str]:
    """The heads of the first table in a printed text."""
    line = next(line for line in out.splitlines() if line.startswith("┃"))
    return [cell.strip() for cell in line.split("┃")[1:-1]]


def keep_figures(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[Any]:
    """The matplotlib figures that a module draws from now on; they are not written."""
    from matplotlib.figure import Figure

    drawn: list[Any] = []

    @contextmanager
    def figure(path: Path, width: float, height: float) -> Iterator[Any]:
        drawn.append(Figure(figsize=(width, height)))
        yield drawn[-1]

    monkeypatch.setattr(module, "figure", figure)
    return drawn
