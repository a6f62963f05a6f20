"""The kind of task for a target, and what a new config says for it."""

import pytest

from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS, check_metric
from comp.tasks.starters import STARTERS, kind_of, metric_of_probs


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("class", 2), "binary"),
        (("class", 3), "multiclass"),
        (("class",), "multiclass"),
        (("columns",), "multilabel"),
        (("pixels",), "segmentation"),
    ],
)
def test_the_target_decides_the_kind(arguments, name) -> None:
    assert kind_of(*arguments).name == name


def test_masks_that_overlap_are_another_kind() -> None:
    assert kind_of("pixels", overlap=True).name == "multilabel_segmentation"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_metrics_of_a_starter_fit_its_task(task) -> None:
    check_metric(METRICS[STARTERS[task.target_kind].metric], task)
    if not task.spatial and not task.link.measures:
        check_metric(METRICS[metric_of_probs(task)], task)
