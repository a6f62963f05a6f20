"""What a new config says for the kind of task that data look like."""

from __future__ import annotations

from dataclasses import dataclass

from comp.tasks.kinds import TASKS, TargetKind, Task


@dataclass(frozen=True)
class Starter:
    """The first choices for a task.

    `metric`  the usual metric
    `lines`   the sections `model` and `train` of a config
    """

    metric: str
    lines: tuple[str, ...]


_CLASSIFICATION = Starter(
    "macro_f1",
    (
        "model: {name: efficientnet_b0, init: auto}",
        "train: {epochs: 25, batch_size: 32, lr: 1.0e-3}",
    ),
)
_SEGMENTATION = Starter(
    "dice",
    (
        "model: {name: unet, encoder: efficientnet-b0}",
        "train: {epochs: 40, batch_size: 16, lr: 1.0e-3, loss: auto}",
    ),
)
STARTERS: dict[TargetKind, Starter] = {
    "class": _CLASSIFICATION,
    "columns": _CLASSIFICATION,
    "pixels": _SEGMENTATION,
}


def kind_of(target: TargetKind, classes: int | None = None, *, overlap: bool = False) -> Task:
    """The kind of task for a target.

    classes: how many classes there are, where that is known; a kind for exactly so many comes
    first. overlap: whether masks of different classes may overlap.
    """
    fitting = [
        task
        for task in TASKS.values()
        if task.target_kind == target
        and task.class_limit in (None, classes)
        and (target != "pixels" or task.one_answer != overlap)
    ]
    return min(fitting, key=lambda task: task.class_limit is None)


def metric_of_probs(task: Task) -> str:
    """The usual metric where a sample submission holds probabilities."""
    return "log_loss" if task.link.normalized else "roc_auc"
