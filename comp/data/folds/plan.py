"""The fold plan: which fold each training id is in, and what it was made from.

Its files are in `comp.data.folds.plan_file`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from comp.core import checksums
from comp.core.errors import PlanError, UsageError, first
from comp.data.folds.balance import Balance, count_up
from comp.data.folds.starts import DEAL
from comp.data.index.index import Index

Array = np.ndarray[Any, Any]
ALWAYS = -1  # the fold of ids that every fold trains on and none validates on

_OTHER_TARGET = (
    "Another data.target needs a plan of its own: another `name`, no `folds.plan`, then "
    "`comp folds make`."
)


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """A partition of the training ids into folds 0..count-1 that divides no group.

    `ids`                (N,) text, sorted
    `fold`               (N,) int64; `ALWAYS` for ids that are only trained on
    `index_fingerprint`  of the Index that it was made from
    `classes`, `labels`  the class names, and (N,) the label of each id as text
    `groups`             (N,) text, or None
    `marks`              (N,) a digest of each mask, or ()
    `learned`            (N,) a digest of the shares and the weight of each image, or ()
    `warnings`           what its user should know
    `leak`               what it divides although it belongs together, as its user allowed
    `extended`           ids that were added after it was made
    `start`              what its exchanges started from, see `comp.data.folds.starts`
    `path`               the file that it was read from
    """

    ids: tuple[str, ...]
    fold: Array
    count: int
    scheme: str
    seed: int
    index_fingerprint: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    marks: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    path: Path | None = None
    leak: tuple[str, ...] = ()
    extended: int = 0
    start: str = DEAL

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the index fingerprint and of every id with its fold."""
        rows = (f"{name}\x1f{fold}" for name, fold in zip(self.ids, self.fold, strict=True))
        return checksums.digest_lines([self.index_fingerprint, *rows])

    def train(self, k: int) -> tuple[str, ...]:
        """The ids outside fold k, sorted; UsageError when there is no fold k."""
        return self._where(self.fold != self._known(k))

    def valid(self, k: int) -> tuple[str, ...]:
        """The ids of fold k, sorted; UsageError when there is no fold k."""
        return self._where(self.fold == self._known(k))

    @property
    def judged(self) -> Array:
        """(N,) bool: the ids that some fold validates on."""
        return np.asarray(self.fold != ALWAYS)

    def _known(self, k: int) -> int:
        if not 0 <= k < self.count:
            raise UsageError(f"no fold {k}: the plan has the folds 0..{self.count - 1}")
        return k

    def _where(self, mask: Array) -> tuple[str, ...]:
        return tuple(self.ids[row] for row in np.flatnonzero(mask))

    def check(self, index: Index) -> None:
        """Nothing when the plan was made from this index; else PlanError with what has changed."""
        if self.index_fingerprint == index.fingerprint:
            return
        edited = self.edited(index)
        added, gone = self.added(index), self.gone(index)
        lines = [
            *([f"{len(added)} new ids: {first(added)}"] if added else []),
            *([f"{len(gone)} ids are gone: {first(gone)}"] if gone else []),
            *edited,
        ]
        if self.classes != index.classes:
            lines.append(f"the classes were {first(self.classes)}, now {first(index.classes)}")
        mend = "plan again with `comp folds make --replace`"
        if not edited and (added or gone):
            mend = "give the new ids a fold with `comp folds make --extend` (old ids keep theirs)"
        raise PlanError(
            "\n".join(
                [
                    f"{self.path or 'the fold plan'}: stale: made for other data "
                    f"({self.index_fingerprint[:8]}, now {index.fingerprint[:8]}):",
                    *(f"  - {line}" for line in lines or ["something in how the labels are read"]),
                    f"Bring the old data back, or {mend} "
                    "(what was trained on the old plan is then stale too).",
                    *([_OTHER_TARGET] if self.classes != index.classes else []),
                ]
            )
        )

    def added(self, index: Index) -> list[str]:
        """The ids of the index that the plan does not know."""
        return sorted({*index.ids} - {*self.ids})

    def gone(self, index: Index) -> list[str]:
        """The ids of the plan that the index does not have."""
        return sorted({*self.ids} - {*index.ids})

    def edited(self, index: Index, shown: int = 5) -> list[str]:
        """What has changed for ids that both have: a line each for labels, masks and groups."""
        old = {name: row for row, name in enumerate(self.ids)}
        kept = [(name, old[name], row) for row, name in enumerate(index.ids) if name in old]
        pairs = {
            "label": (self.labels, index.label_texts()),
            "mask": (self.marks, index.marks),
            "share or weight": (self.learned, index.learned),
            "group": (self.groups or ("",) * len(self.ids), index.groups or ("",) * len(index)),
        }
        out = []
        for what, (was, now) in pairs.items():
            if not was or not now:
                continue
            changed = [f"{n!r} {was[a]!r} -> {now[b]!r}" for n, a, b in kept if was[a] != now[b]]
            if changed:
                rest = f" and {len(changed) - shown} more" * (len(changed) > shown)
                out.append(
                    f"{len(changed)} ids have another {what}: {', '.join(changed[:shown])}{rest}"
                )
        return out


def balance(plan: FoldPlan, index: Index) -> Balance:
    """Images, images of each class, and groups in each fold. The plan must be of this index."""
    return count_up(plan.fold, plan.count, index)
