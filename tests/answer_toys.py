"""Out-of-fold answers that are drawn instead of trained: what the tests of reports share."""

from __future__ import annotations

from typing import Any

import numpy as np

from comp.ensemble.compare import Scores
from comp.report.run.answers import OofAnswers
from comp.report.run.headline import FoldCurve
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

Array = np.ndarray[Any, Any]


def answers(
    kind: str, target: Any, probs: Any, classes: Any, metric: str = "macro_f1", **over: Any
) -> OofAnswers:
    """Answers by the neutral rule. over: other fields, such as `groups`, or `labels`."""
    task, chosen = TASKS[kind], METRICS[metric]
    target, probs = np.asarray(target), np.asarray(probs, dtype=float)
    labels = over.pop("labels", None)
    labels = task.decide(probs) if labels is None else np.asarray(labels)
    honest = labels if chosen.wants == "labels" else probs
    score = chosen.score(target, honest, len(classes))
    plain: dict[str, Any] = {
        "ids": [f"{row:03d}" for row in range(len(target))],
        "rule": task.link.neutral(probs.shape[1]),
        "scores": Scores(score, score, score, score - 0.02, score + 0.02),
        "fold": np.arange(len(target)) % 2,
    }
    return OofAnswers(
        task=task, metric=chosen, classes=classes, target=target, probs=probs, labels=labels,
        sent=honest, honest=honest, **{**plain, **over},
    )  # fmt: skip


def six() -> OofAnswers:
    """Three classes, six images, two of them wrong: a answered b, c answered b."""
    probs = [
        [0.8, 0.1, 0.1],
        [0.1, 0.9, 0.0],
        [0.2, 0.1, 0.7],
        [0.3, 0.6, 0.1],
        [0.1, 0.8, 0.1],
        [0.1, 0.7, 0.2],
    ]
    return answers("multiclass", [0, 1, 2, 0, 1, 2], probs, ("a", "b", "c"))


def curve(fold: int = 0, scores: Any = (0.5, 0.7), **over: Any) -> FoldCurve:
    """The curve of a fold with these scores, of which the last is the best."""
    count = len(scores)
    columns = {
        "lr": np.full(count, 0.001),
        "train_loss": np.linspace(1, 0.5, count),
        "valid_loss": np.linspace(1, 0.6, count),
        "macro_f1": np.asarray(scores, dtype=float),
    }
    plain: dict[str, Any] = {
        "fold": fold, "epochs": np.arange(1, count + 1), "columns": columns, "best_epoch": count,
        "best": float(scores[-1]), "early": False, "seconds": 30.0, "planned": count,
    }  # fmt: skip
    return FoldCurve(**{**plain, **over})
