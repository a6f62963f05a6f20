"""What a new config says for the kind of task that data look like."""

from __future__ import annotations

from dataclasses import dataclass

from comp.tasks.kinds import TASKS, TargetKind, Task

SMALL_SET = 2000  # images, below which batches are small, so that an epoch has enough updates


@dataclass(frozen=True)
class Starter:
    """The first choices for a task.

    `metric`  the usual metric
    `model`   the section `model` of a config, as YAML on one line
    `epochs`  the number of epochs
    """

    metric: str
    model: str
    epochs: int

    def lines(self, images: int, more: str = "") -> tuple[str, ...]:
        """The sections `model` and `train` of a config for so many images; more: keys of train."""
        batch = 16 if images < SMALL_SET else 32
        train = f"epochs: {self.epochs}, batch_size: {batch}{more and f', {more}'}"
        return f"model: {self.model}", f"train: {{{train}}}"


_CLASSIFICATION = Starter("macro_f1", "{name: efficientnet_b0}", 25)
_SEGMENTATION = Starter("dice", "{name: unet, encoder: efficientnet-b0}", 40)
STARTERS: dict[TargetKind, Starter] = {
    "class": _CLASSIFICATION,
    "columns": _CLASSIFICATION,
    "numbers": Starter("rmse", "{name: efficientnet_b0}", 25),
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
