"""What travels to another process, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import Interrupted, OutOfTime, PlanError, TrainError
from comp.core.locks import HeldError
from comp.stages.experiment import open_experiment
from comp.stages.runners.order import DONE, Order, error_of, failure, order_of, train_piece

Planned = Callable[..., dict[str, Any]]


def test_an_order_survives_json_and_means_the_same_config(planned: Planned) -> None:
    experiment = open_experiment(make_config(planned()))
    order = order_of(experiment, "comp train", among=2)
    back = Order(**json.loads(json.dumps(order.plain())))
    assert back == order
    assert open_experiment(make_config(back.config)).config == experiment.config
    assert Path(order_of(experiment, None, absolute=True).root).is_absolute()


def test_a_piece_trains_its_fold_and_says_so(planned: Planned) -> None:
    order = order_of(open_experiment(make_config(planned())), "comp train")
    assert train_piece(order, 1, None) == {"fold": 1, "error": None}
    assert Path("runs/toy_binary/fold_1/done.json").is_file()
    assert not Path("runs/toy_binary/fold_0").exists()


def test_an_error_of_a_piece_is_an_outcome(planned: Planned) -> None:
    order = order_of(open_experiment(make_config(planned())), None)
    Path("folds/toy_binary.csv").unlink()
    outcome = train_piece(order, 0, None)
    assert isinstance(error_of(json.loads(json.dumps(outcome))), PlanError)


def test_a_piece_stops_when_its_seconds_are_over(planned: Planned) -> None:
    order = order_of(open_experiment(make_config(planned(train__epochs=5000))), None)
    assert isinstance(error_of(train_piece(order, 0, 2.0)), OutOfTime)


@pytest.mark.parametrize("problem", [TrainError("x"), HeldError("y"), OutOfTime("z")])
def test_an_error_comes_back_as_it_was(problem: Any) -> None:
    back = error_of({"fold": 0, **failure(problem)})
    assert (type(back), str(back)) == (type(problem), str(problem))


def test_an_interrupt_keeps_its_signal() -> None:
    back = error_of({"fold": 0, **failure(Interrupted("stopped", 15))})
    assert back is not None
    assert back.exit_code == 143
    assert error_of({"fold": 0, **DONE}) is None
