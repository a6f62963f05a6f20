"""What a competition would accept and its owner should look at before sending it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from comp.core.checksums import digest_file
from comp.submission.formats import Format
from comp.submission.gate import check_submission
from comp.submission.names import written_in

_FAR = 0.05  # a share may differ by this, and by what chance allows
_SIGMAS = 4.0
_SHOWN = 6


def submission_warnings(
    path: Path,
    file_format: Format,
    expected: Mapping[str, float] | None = None,
    covered: int = 0,
) -> list[str]:
    """Warnings, one sentence each; none for a submission that looks as it should.

    expected: the share of each class in the out-of-fold answers, of `covered` images.
    Raises SubmissionError for a file that would be refused.
    """
    columns = check_submission(path, file_format)
    rows = list(zip(*columns.values(), strict=True))
    out = file_format.check(path, columns)
    if len(rows) > 1 and len(set(rows)) == 1:
        out.append(f"all {len(rows)} rows have the same answer: {', '.join(rows[0])[:80]}")
    if expected is not None:
        out += _far(file_format.content.shares(columns), expected, len(rows), covered)
    return out + same_bytes(path)


def same_bytes(path: Path) -> list[str]:
    """A warning where another submission beside `path` is the same to the byte."""
    own, size = digest_file(path), path.stat().st_size
    others = [other for other in written_in(path.parent) if other.resolve() != path.resolve()]
    same = [o.name for o in others if o.stat().st_size == size and digest_file(o) == own]
    return [f"identical to an earlier submission: {', '.join(same)}"] if same else []


def _far(
    found: Mapping[str, float], expected: Mapping[str, float], rows: int, covered: int
) -> list[str]:
    """Classes whose share is far from the out-of-fold one; the shares of a known prior match."""
    far = []
    for name in sorted({*found, *expected}):
        here, there = found.get(name, 0.0), expected.get(name, 0.0)
        variance = max(there * (1 - there), here * (1 - here), 0.0)  # a share may round above 1
        chance = np.sqrt(variance * (1 / max(rows, 1) + 1 / max(covered, 1)))
        if abs(here - there) > _FAR + _SIGMAS * chance:
            far.append(f"{name} {here:.1%} (out of fold {there:.1%})")
    if not far:
        return []
    more = f" and {len(far) - _SHOWN} more" if len(far) > _SHOWN else ""
    return [
        f"answered far more or less often than out of fold: {', '.join(far[:_SHOWN])}{more}. "
        "Is the test set balanced differently? For labels, `ensemble.prior` corrects that."
    ]
