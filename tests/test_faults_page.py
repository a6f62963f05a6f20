"""The page about faults names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs/faults.md").read_text(encoding="utf-8")
GUARDED = [*range(1, 55), 56, *range(58, 61)]


def test_every_fault_is_guarded_by_tests_that_exist() -> None:
    rows = re.findall(r"^\| F(\d+) \|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*GUARDED]
    found = set()
    for path in HERE.rglob("test_*.py"):
        found |= set(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.M))
    for number, cell in rows:
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, f"F{number}"
        assert set(named) <= found, f"F{number}: {set(named) - found}"
