"""`data.aux`: columns of the table, as classes or numbers; each wrong one is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, DataError
from comp.stages.experiment import check_names, open_experiment, read_train
from comp.stages.extras.aux_columns import read_aux
from comp.stages.predict import predict
from comp.stages.train import open_job, train

Toy = Callable[..., dict[str, Any]]
DATA = {"root": "input", "id": "id", "target": "label"}


def lay(**columns: Any) -> None:
    table = pd.read_csv("input/train.csv", dtype=str)
    table.assign(**{k: v(table) if callable(v) else v for k, v in columns.items()}).to_csv(
        "input/train.csv", index=False
    )


def with_aux(toy: Toy, *aux: dict[str, Any], **over: Any) -> Any:
    tree = {"name": "a", "folds__plan": "toy_binary", "data": {**DATA, "aux": [*aux]}, **over}
    return open_experiment(make_config(toy(**tree)))


def found(toy: Toy, *aux: dict[str, Any], **over: Any) -> Any:
    experiment = with_aux(toy, *aux, **over)
    return read_aux(experiment, read_train(experiment))


def test_cells_are_classes_or_numbers_and_empty_ones_unknown(planned: Toy) -> None:
    lay(
        site=lambda t: [("", "b", "a")[n % 3] for n in range(len(t))],
        age=lambda t: [str(n / 2) if n != 5 else "" for n in range(len(t))],
    )
    site, age = found(planned, {"column": "site"}, {"column": "age", "loss": "mse", "weight": 2})
    assert (site.classes, site.loss, site.weight) == (2, "ce", 0.3)
    assert (age.classes, age.weight) == (0, 2.0)
    ids = pd.read_csv("input/train.csv", dtype=str)["id"].tolist()
    index = read_train(with_aux(planned))
    for place, name in enumerate(index.ids):
        number = ids.index(name)
        wanted = (math.nan, 1.0, 0.0)[number % 3]
        assert np.array_equal(site.values[place], wanted, equal_nan=True)
        assert np.array_equal(age.values[place], math.nan if number == 5 else number / 2,
                              equal_nan=True)  # fmt: skip


@pytest.mark.parametrize(
    ("aux", "message"),
    [
        ({"column": "sex"}, r"data\.aux: no column 'sex'; its columns are .*data\.train_csv"),
        ({"column": "same"}, "column 'same' has 1 value "),
        ({"column": "age", "loss": "mse"}, r"no numbers in 1 rows: .*: old.* or use loss: ce"),
    ],
)
def test_a_column_that_cannot_be_learned_is_told(
    planned: Toy, aux: dict[str, Any], message: str
) -> None:
    lay(same="x", age=lambda t: ["old", *map(str, range(1, len(t)))])
    with pytest.raises(DataError, match=message):
        found(planned, aux)


def test_infinite_is_no_number(planned: Toy) -> None:
    lay(age=lambda t: ["inf", "nan", *map(str, range(2, len(t)))])
    with pytest.raises(DataError, match="no numbers in 2 rows"):
        found(planned, {"column": "age", "loss": "huber"})


def test_a_run_learns_them_and_its_predictions_know_nothing_of_them(planned: Toy) -> None:
    lay(site=lambda t: [f"s{n % 3}" for n in range(len(t))])
    experiment = with_aux(planned, {"column": "site"})
    assert [one.name for one in open_job(experiment, 0).aux] == ["site"]
    train(experiment, "0..1")
    predict(experiment, "0..1")
    assert (Path("runs/a/fold_0/valid/probs.npy")).is_file()
    lay(site=lambda t: [f"s{n % 2}" for n in range(len(t))])
    from comp.core.errors import RunError

    with pytest.raises(RunError, match="their files have changed since"):
        train(experiment, "0")


def test_what_does_not_go_together_is_refused(planned: Toy) -> None:
    aux = {"column": "site"}
    with pytest.raises(ConfigError, match=r"data\.aux: not with train\.compile: on"):
        check_names(with_aux(planned, aux, train__compile="on"))
    with pytest.raises(ConfigError, match=r"data\.aux: not with model\.probe"):
        check_names(with_aux(planned, aux, model__probe="logistic"))
