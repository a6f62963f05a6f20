"""What a competition would accept and its owner should look at before sending it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from comp.core import checksums
from comp.submission.form import Form
from comp.submission.sample import Sample
from comp.submission.write import written_in

_FAR = 0.05  # a share may differ by this, and by what chance allows
_SIGMAS = 4.0
_SHOWN = 6
_BOM = b"\xef\xbb\xbf"


def shares(
    cells: Mapping[str, Sequence[str]], form: Form, weights: Sequence[float] | None = None
) -> dict[str, float]:
    """How much of the answers each class has: label -> share of the rows, by the cells.

    cells: answer column -> cells. A column of probabilities or of 0 and 1 is a class, and its share
    the mean; weights: how much each row counts.
    """
    if form.tally is not None:
        return form.tally(next(iter(cells.values())))
    rows = len(next(iter(cells.values()), ()))
    share = np.full(rows, 1 / max(rows, 1)) if weights is None else np.asarray(weights, dtype=float)
    share = share / max(share.sum(), 1e-300)
    numbers = form.allowed is None or (len(cells) > 1 and form.separator is None)
    if numbers:
        means = {name: np.asarray(column, dtype=float) @ share for name, column in cells.items()}
        return {name: float(mean) for name, mean in means.items()}
    found: defaultdict[str, float] = defaultdict(float)
    for cell, weight in zip(next(iter(cells.values())), share, strict=True):
        for label in cell.split(form.separator) if form.separator else [cell]:
            found[label] += float(weight)
    return dict(sorted(found.items()))


def doubts(
    table: Mapping[str, Sequence[str]],
    content: bytes | None,
    sample: Sample,
    form: Form,
    *,
    expected: Mapping[str, float] | None = None,
    judged_on: int = 0,
) -> list[str]:
    """Warnings, each a sentence; none for a submission that looks as it should.

    table: the columns of the submission, which passed the gate; content: its bytes, None where it
    is no table on the disk; expected: share of each class in the out-of-fold answers, which were
    `judged_on` rows.
    """
    cells = {name: table[name] for name in sample.answers}
    out = [] if content is None else _form(content, sample)
    rows = list(zip(*cells.values(), strict=True))
    if len(rows) > 1 and len(set(rows)) == 1:
        out.append(f"all {len(rows)} rows have the same answer: {', '.join(rows[0])[:80]}")
    else:
        out += _everywhere(cells, form)
    if expected is not None:
        advice = "" if form.tally is not None else " (`ensemble.prior`)"
        out += _far(shares(cells, form), expected, len(rows), judged_on, advice)
    return out


def repeats(path: Path) -> list[str]:
    """A warning where another submission beside `path` is the same to the byte."""
    own, size = checksums.digest_file(path), path.stat().st_size
    others = [other for other in written_in(path.parent) if other.resolve() != path.resolve()]
    same = [o.name for o in others if o.stat().st_size == size and checksums.digest_file(o) == own]
    return [f"identical to an earlier submission: {', '.join(same)}"] if same else []


def _everywhere(cells: Mapping[str, Sequence[str]], form: Form) -> list[str]:
    """Labels that every row was given, where an answer is a column a label."""
    if form.allowed is None or len(cells) < 2:
        return []
    always = [name for name, column in cells.items() if column and set(column) == {"1"}]
    if not always:
        return []
    more = f" and {len(always) - _SHOWN} more" if len(always) > _SHOWN else ""
    return [
        f"{len(always)} of {len(cells)} labels are given to every row: "
        f"{', '.join(always[:_SHOWN])}{more}"
    ]


def _form(content: bytes, sample: Sample) -> list[str]:
    """Bytes around the cells that differ from the sample's; sites read them all the same."""
    out = []
    first_line = content.split(b"\n", 1)[0]
    if first_line.startswith(_BOM) != sample.header.startswith(_BOM):
        has = "has a" if first_line.startswith(_BOM) else "has no"
        out.append(f"the file {has} byte order mark, the sample is the other way round")
    if first_line.endswith(b"\r") != (sample.newline == "\r\n"):
        out.append(f"lines end otherwise than in the sample ({sample.newline!r})")
    return out


def _far(
    found: Mapping[str, float],
    expected: Mapping[str, float],
    rows: int,
    judged_on: int,
    advice: str,
) -> list[str]:
    """Classes whose share is far from the out-of-fold one; the shares of a known prior match."""
    far = []
    for name in sorted({*found, *expected}):
        here, there = found.get(name, 0.0), expected.get(name, 0.0)
        spread = max(there * (1 - there), here * (1 - here), 0.0)  # a share may round above 1
        chance = np.sqrt(spread * (1 / max(rows, 1) + 1 / max(judged_on, 1)))
        if abs(here - there) > _FAR + _SIGMAS * chance:
            far.append(f"{name} {here:.1%} (out of fold {there:.1%})")
    if not far:
        return []
    more = f" and {len(far) - _SHOWN} more" if len(far) > _SHOWN else ""
    return [
        f"answered far more or less often than out of fold: {', '.join(far[:_SHOWN])}{more}. "
        f"Is the test set balanced otherwise{advice}?"
    ]
