"""What a run says in words: sentences that are drawn from its numbers, each with its figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from comp.core.errors import first
from comp.ensemble.compare import Scores
from comp.report.run.answers import OofAnswers
from comp.report.run.curves import Reliability
from comp.report.run.tables import ClassRow, Slice

Array = np.ndarray[Any, Any]

# When a sentence is said; what would be noise is not
_LAST_SHARE = 0.5  # of the folds whose best epoch is their last one
_OVERFIT_RISE = 1.15  # of the validation loss over its lowest
_WIDE_FOLDS = 2.0  # spread of the folds in half widths of the interval
_PAIR_SHARE = 0.15  # of all errors, by one pair of classes
_SIGMAS = 3.0  # standard errors above what chance gives
_LEAST_ERRORS = 5
_LEAST_PAIR = 4  # images of one pair of classes: fewer are soon the most of many pairs by chance
_CALIBRATION = 0.05
_RULE_GAIN = 0.002
_FEW = 20  # images of a class
_MOST_DOUBTED = 0.1  # of all labels
_LOST = 0.05  # the score of a class of regions
_SEEN = 0.00005  # what four decimals show
_BEHIND = 0.15  # a class behind the median one, in F1


@dataclass(frozen=True)
class FoldCurve:
    """What is known of one fold: its history, (E,) each, NaN where a value is missing; the epoch of
    its best score, counted from 1; whether it was stopped early; seconds of its log or None."""

    fold: int
    epochs: Array
    columns: dict[str, Array]
    best_epoch: int
    best: float
    early: bool
    seconds: float | None
    planned: int
    title: str = ""

    @property
    def name(self) -> str:
        """What it is called in a legend: its number, unless it has a title."""
        return self.title or f"fold {self.fold}"


def duration(seconds: float) -> str:
    """A time as people say it: 45 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def score_text(metric: str, scores: Scores, images: int, folds: int, few: str = "") -> str:
    """The honest score in a sentence. few: what to say of the interval, see `few_units_text`."""
    interval = ""
    if not math.isnan(scores.low):
        few = f", {few}" if few else ""
        interval = f" (95 % interval {scores.low:.4f} to {scores.high:.4f}{few})"
    how = "cross-fitted, " if not math.isclose(scores.raw, scores.honest) else ""
    return (
        f"{metric} {scores.honest:.4f}{interval}, {how}on {images} out-of-fold images of {folds} "
        f"fold{'s' * (folds != 1)}."
    )


def sent_text(scores: Scores, sent: float, mixed: float, *, kept: bool) -> str:
    """Why the answers below score other than the run; "" where they score the same.

    sent: their score; mixed: see `comp.ensemble.evidence.CrossFit`; kept: whether the tuned rule is
    used.
    """
    why = []
    if abs(scores.honest + mixed - sent) >= _SEEN:
        why.append("counts the choice whether a tuned rule is used, made without each fold")
    if abs(mixed) >= _SEEN:
        why.append(
            f"is corrected by {-mixed:+.4f}, since rules of several folds do not score together "
            "what the one that is sent does"
        )
    if not why:
        return ""
    rule = "cross-fitted" if kept else "without a tuned rule"
    return (
        f"Classes and images below are of the answers as they are sent, {rule}: they score "
        f"{sent:.4f}. The score of the run, {scores.honest:.4f}, {' and '.join(why)}."
    )


def about_sent(found: OofAnswers) -> str:
    """The same of the answers of a run."""
    return sent_text(found.scores, found.sent_score, found.mixed, kept=found.kept)


def training_text(folds: Sequence[FoldCurve], metric: str) -> str:
    """Epochs and time in a sentence."""
    epochs = sorted({len(fold.epochs) for fold in folds})
    spans = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"
    best = ", ".join(str(fold.best_epoch) for fold in folds)
    seconds = [fold.seconds for fold in folds]
    took = ""
    if all(value is not None for value in seconds):
        total = float(sum(value for value in seconds if value is not None))
        took = f" in {duration(total)} ({duration(total / len(folds))} per fold)"
    one = epochs[-1] == 1
    scores = ", ".join(f"{fold.best:.4f}" for fold in folds)
    return (
        f"{len(folds)} fold{'s' * (len(folds) != 1)} of {spans} epoch{'' if one else 's'}{took}; "
        f"best epochs {best}, with {metric} {scores}."
    )


def about_training(folds: Sequence[FoldCurve]) -> list[str]:
    """What the curves suggest to try next."""
    out = []
    late = [fold for fold in folds if fold.best_epoch == len(fold.epochs) and not fold.early]
    if len(late) > _LAST_SHARE * len(folds):
        out.append(
            f"The best epoch is the last one in {len(late)} of {len(folds)} folds: train longer "
            f"(train.epochs above {late[0].planned}) or with a higher learning rate."
        )
    risen = [fold for fold in folds if _rise(fold) > _OVERFIT_RISE]
    if len(risen) > _LAST_SHARE * len(folds):
        most = max(_rise(fold) for fold in risen)
        out.append(
            f"The validation loss rises again in {len(risen)} of {len(folds)} folds (by up to "
            f"{most - 1:.0%} over its lowest) while training goes on: stronger augmentation "
            "(augment.recipe), more weight decay or label smoothing, or fewer epochs."
        )
    return out


def _rise(fold: FoldCurve) -> float:
    loss = fold.columns.get("valid_loss", np.empty(0))
    loss = loss[np.isfinite(loss)]
    lowest = float(loss.min()) if len(loss) else 0.0
    return float(loss[-1]) / lowest if lowest > 0 else 1.0


def about_folds(folds: Sequence[FoldCurve], scores: Scores, up: bool) -> list[str]:
    """Whether a fold stands apart."""
    values = np.array([fold.best for fold in folds])
    if len(values) < 3 or not np.isfinite(values).all() or math.isnan(scores.low):
        return []
    worst = int(values.argmin() if up else values.argmax())
    others = float(np.delete(values, worst).mean())
    apart, half = abs(float(values[worst]) - others), (scores.high - scores.low) / 2
    # a fold has a K-th of the images: its interval is wider by the root of K
    if apart <= _WIDE_FOLDS * half * math.sqrt(len(values)):
        return []
    return [
        f"Fold {folds[worst].fold} scores {values[worst]:.4f}, the others {others:.4f} on average: "
        "more than chance. Look at its images below; they may be of another kind (data.group)."
    ]


def about_rule(scores: Scores, up: bool, *, kept: bool) -> list[str]:
    """Whether tuning helps; kept: whether the rule is used."""
    gain = (scores.honest - scores.raw) * (1 if up else -1)
    if not (kept and gain > _RULE_GAIN):
        return []
    return [
        f"The tuned rule gains {gain:.4f} (from {scores.raw:.4f} untuned): the probabilities are "
        "not at the balance that the metric wants. `comp ensemble` uses the rule."
    ]


def about_classes(rows: Sequence[ClassRow]) -> list[str]:
    """The class that costs most."""
    scored = [row for row in rows if row.support and not math.isnan(row.f1)]
    if len(scored) < 3:
        return []
    worst, middle = min(scored, key=lambda row: row.f1), float(np.median([r.f1 for r in scored]))
    if middle - worst.f1 < _BEHIND:
        return []
    few = f" It has only {worst.support} images: more of it (train.sampler: balanced) may help."
    return [
        f"Class {worst.name} has an F1 of {worst.f1:.2f}, the median class {middle:.2f}."
        f"{few if worst.support < _FEW else ''}"
    ]


def about_regions(scores: Mapping[str, float | None]) -> list[str]:
    """The classes of a segmentation that are hardly found."""
    lost = [name for name, score in scores.items() if score is not None and score < _LOST]
    if not lost:
        return []
    return [
        f"{len(lost)} of {len(scores)} classes are hardly found: {first(lost)}. Train longer, at a "
        "larger image size, or with a loss for rare regions (train.loss: dice or tversky)."
    ]


def about_pairs(table: Array, names: Sequence[str]) -> list[str]:
    """The pair of classes with the largest share of the errors."""
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    total = int(wrong.sum())
    if total < _LEAST_ERRORS or len(names) < 3:
        return []
    a, b = divmod(int(wrong.argmax()), len(wrong))
    share = wrong[a, b] / total
    chance = total / (len(wrong) * (len(wrong) - 1))
    least = max(_LEAST_PAIR, chance + _SIGMAS * math.sqrt(chance))
    if share < _PAIR_SHARE or wrong[a, b] < least:
        return []
    return [
        f"{share:.0%} of all confusions are one pair: {names[a]} answered {names[b]} "
        f"({int(wrong[a, b])} of {total}). Its images are below."
    ]


def about_calibration(found: Reliability) -> list[str]:
    """Whether the probabilities can be taken at their word."""
    if found.error < _CALIBRATION:
        return []
    words = "too sure" if found.lean > 0 else "not sure enough"
    mend = "label smoothing or a vote of several runs" if found.lean > 0 else "more epochs"
    return [
        f"The probabilities are {words}: they are off by {found.error:.1%} on average "
        f"(expected calibration error); {mend} may help, also a metric that wants probabilities."
    ]


def about_labels(sure: int, images: int, labels: int) -> list[str]:
    """Whether labels are doubted. labels: how many there are; where a tenth of them is doubted, it
    is the model that is to be doubted."""
    if not sure or sure > _MOST_DOUBTED * labels:
        return []
    many = sure != 1
    return [
        f"{sure} label{'s' * many} of {images} images {'are' if many else 'is'} doubted with "
        f"confidence: look at {'them' if many else 'it'} below, or with `comp labels`."
    ]


def about_slices(slices: Sequence[Slice], wrong: float, kind: str = "classes") -> list[str]:
    """The kind of images of which more are wrong than chance gives. wrong: the share of all
    images; kind: of the answers, `numbers` are off instead."""
    spread = math.sqrt(max(wrong * (1 - wrong), 0.0))
    behind = [
        part
        for part in slices
        if part.kind != "fold" and part.wrong - wrong > _SIGMAS * spread / math.sqrt(part.units)
    ]
    if not behind or not spread:
        return []
    worst = max(behind, key=lambda part: part.wrong)
    words = "off by more than a usual error" if kind == "numbers" else "wrong"
    return [
        f"Of the images of {worst.kind} {worst.name}, {worst.wrong:.0%} are {words}, of all "
        f"{wrong:.0%}: more than chance. Augmentation for them may help."
    ]
