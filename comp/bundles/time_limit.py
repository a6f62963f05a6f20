"""What of an ensemble is asked when the time is limited: fewer views, then folds, then runs.

The out-of-fold score of a run is that of one of its folds per image, so that folds beyond the first
cost nothing in it: they are left out before any run is. Runs are left out in the order of
`Bundle.steps`, the one whose absence costs the honest score least first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from comp.bundles.contents import Bundle
from comp.inference.views import views_of

_RESERVE = {False: 0.08, True: 0.25}  # of the limit, to merge and write; for masks the larger one
_LEAST_RESERVE = 3.0  # seconds


@dataclass(frozen=True)
class Effort:
    """How much is asked: at most so many views of an image and folds of a run, and the runs of
    `Bundle.steps[step]`."""

    views: int
    folds: int
    step: int

    def told(self, whole: Effort, bundle: Bundle) -> list[str]:
        """What is left out of the whole, as sentences."""
        out = []
        if self.views < whole.views:
            out.append(f"views per image: {self.views} of {whole.views}")
        if self.folds < whole.folds:
            out.append(f"folds per run: {self.folds} of {whole.folds}")
        if self.step > whole.step:
            gone = [run for run in bundle.runs if run not in bundle.steps[self.step].runs]
            was, now = bundle.steps[whole.step].honest, bundle.steps[self.step].honest
            text = f"runs: without {', '.join(gone)}"
            if was is not None and now is not None:
                text += f" (out of fold, honest: {now:.4f}, with all {was:.4f})"
            out.append(text)
        return out


@dataclass(frozen=True)
class Rate:
    """What an image of a run costs, in seconds: `read` it once, and one `view` of one network."""

    read: float
    view: float


def folds_of(bundle: Bundle) -> dict[str, int]:
    """run -> how many members it has."""
    return {run: sum(m.run == run for m in bundle.members) for run in bundle.runs}


def view_counts(bundle: Bundle) -> dict[str, int]:
    """run -> how many views its members see."""
    return {m.run: len(views_of(m.tta)) for m in bundle.members}


def efforts(bundle: Bundle) -> list[Effort]:
    """From the whole to the least: views first, then folds, then runs."""
    views, folds = max(view_counts(bundle).values()), max(folds_of(bundle).values())
    out = [Effort(count, folds, 0) for count in range(views, 0, -1)]
    out += [Effort(1, count, 0) for count in range(folds - 1, 0, -1)]
    return out + [Effort(1, 1, step) for step in range(1, len(bundle.steps))]


def seconds_of(
    effort: Effort, bundle: Bundle, rates: Mapping[str, Rate], images: Mapping[str, int]
) -> float:
    """How long an effort takes. images: run -> the images that it has not yet seen."""
    folds, views = folds_of(bundle), view_counts(bundle)
    total = 0.0
    for run in bundle.steps[effort.step].runs:
        each = min(folds[run], effort.folds) * min(views[run], effort.views)
        total += images[run] * (rates[run].read + each * rates[run].view)
    return total


def first_fitting(
    choices: Sequence[Effort],
    bundle: Bundle,
    rates: Mapping[str, Rate],
    images: Mapping[str, int],
    seconds: float,
) -> Effort:
    """The first of the choices that the time is enough for; the last where none is."""
    for effort in choices:
        if seconds_of(effort, bundle, rates, images) <= seconds:
            return effort
    return choices[-1]


@dataclass
class Clock:
    """The time that is left for predictions; endless without a limit.

    `limit`  seconds for the whole command, or None
    """

    limit: float | None
    spatial: bool
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until predictions must end, for the rest needs time as well."""
        if self.limit is None:
            return float("inf")
        reserve = max(_LEAST_RESERVE, _RESERVE[self.spatial] * self.limit)
        return self.limit - reserve - (time.monotonic() - self.started)
