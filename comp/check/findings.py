"""Findings: what is wrong with data, or worth knowing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One finding.

    `level`  "error" where training or predicting would be wrong, "warning" where the score would
             mislead, "note" for what is good to know
    `text`   a sentence
    `ids`    the images that it is about
    """

    level: str
    text: str
    ids: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"level": self.level, "text": self.text, "ids": list(self.ids)}


def by_level(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with the errors first and the notes last."""
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))
