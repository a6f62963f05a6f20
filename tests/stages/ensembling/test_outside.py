"""Predictions of another program: joined by id, read as what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import write_csv

from comp.config.loading import make_config
from comp.core.errors import ConfigError, DataError, PredictionsError
from comp.stages.ensembling.members import Ground
from comp.stages.ensembling.outside import added_model
from comp.stages.experiment import open_experiment, read_plan, read_test_images, read_train
from comp.stages.folds import make_folds

Toy = Callable[..., dict[str, Any]]
TEST_IDS = [f"t{number:03}" for number in range(6)]


def ground_of(tree: dict[str, Any]) -> Ground:
    experiment = open_experiment(make_config(tree))
    make_folds(experiment, replace=False)
    index = read_train(experiment)
    test = read_test_images(experiment, index.classes)
    return Ground(experiment, index, test, read_plan(experiment, index))


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([["id", "0", "1"], ["t000", 0, 1]], DataError, "no column for the classes '2'"),
        ([["id", "0", "1", "2"], ["t000", 0, "x", 1]], DataError, "line 2, 1: 'x' is no number"),
        ([["id", "0", "1", "2"], ["t000", 0, 0, 1]], PredictionsError, "no row for 5 ids: 't001'"),
        ([["id", "0", "1", "2"], ["t9", 0, 0, 1]], PredictionsError, "not among the 6 .*'t9'"),
        ([["id", "0", "1", "2"], ["t000", 1, 1, 1]], PredictionsError, "do not sum to 1: 't000'"),
    ],
)
def test_outside_predictions_that_do_not_fit_are_refused(
    toy: Toy, workspace: Path, rows: list[list[Any]], error: type[Exception], message: str
) -> None:
    write_csv(workspace / "outside.csv", rows)
    with pytest.raises(error, match=message):
        added_model(ground_of(toy("multiclass")), Path("outside.csv"))


def test_ids_are_found_with_the_suffix_of_their_file(toy: Toy, workspace: Path) -> None:
    rows = [[f"{name}.PNG", 0.5, 0.25, 0.25] for name in reversed(TEST_IDS)]
    write_csv(workspace / "outside.csv", [["id", "0", "1", "2"], *rows])
    (test,) = added_model(ground_of(toy("multiclass")), Path("outside.csv")).tests
    assert test.ids == tuple(TEST_IDS)
    assert test.probs[0].tolist() == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("written", ["test/{}.png", "./test/{}.PNG", r"C:\data\test\{}.png"])
def test_ids_are_found_where_they_are_paths_or_numbers_with_a_point(
    toy: Toy, workspace: Path, written: str
) -> None:
    ground = ground_of(toy("multiclass"))
    own = [[f"{int(name)}.0", 0.25, 0.5, 0.25] for name in ground.index.ids]
    rows = [[written.format(name), 0.5, 0.25, 0.25] for name in TEST_IDS]
    write_csv(workspace / "outside.csv", [["id", "0", "1", "2"], *rows, *own])
    model = added_model(ground, Path("outside.csv"))
    assert model.oof is not None
    assert model.oof.ids == ground.index.ids
    assert model.oof.probs[0].tolist() == [0.25, 0.5, 0.25]
    assert model.tests[0].ids == tuple(TEST_IDS)
    assert model.tests[0].probs[0].tolist() == [0.5, 0.25, 0.25]


def test_logits_become_probabilities_by_the_link_of_the_task(toy: Toy, workspace: Path) -> None:
    rows = [[name, 1.0, 0.0, -1.0] for name in TEST_IDS]
    write_csv(workspace / "outside.csv", [["id", "0", "1", "2"], *rows])
    ground = ground_of(toy("multiclass"))
    (test,) = added_model(ground, Path("outside.csv"), "logits").tests
    expected = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum()
    assert test.probs[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    with pytest.raises(PredictionsError):  # as probabilities they are refused
        added_model(ground, Path("outside.csv"))


def test_a_column_of_class_names_holds_decisions(toy: Toy, workspace: Path) -> None:
    labels = ["2", "0", "1", "1", "0", "2"]
    table = [["id", "label"], *zip(TEST_IDS, labels, strict=True)]
    write_csv(workspace / "labels.csv", [list(row) for row in table])
    ground = ground_of(toy("multiclass"))
    model = added_model(ground, Path("labels.csv"))
    assert model.oof is None
    assert model.tests[0].probs.argmax(axis=1).tolist() == [int(label) for label in labels]
    assert np.asarray(model.tests[0].probs).sum(axis=1).tolist() == [1.0] * 6
    write_csv(workspace / "wrong.csv", [["id", "label"], *([name, "cat"] for name in TEST_IDS)])
    with pytest.raises(DataError, match="no class: 'cat'; the classes are '0', '1', '2'"):
        added_model(ground, Path("wrong.csv"), "labels")
    with pytest.raises(ConfigError, match="unknown kind of outside predictions .* 'ranks'"):
        added_model(ground, Path("labels.csv"), "ranks")


def test_decisions_are_refused_where_the_metric_wants_probabilities(
    toy: Toy, workspace: Path
) -> None:
    write_csv(workspace / "labels.csv", [["id", "label"], *([name, "1"] for name in TEST_IDS)])
    ground = ground_of({**toy("multiclass"), "metric": "log_loss"})
    with pytest.raises(ConfigError, match="holds decisions, but the metric 'log_loss' wants"):
        added_model(ground, Path("labels.csv"))
