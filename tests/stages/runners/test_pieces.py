"""The kinds of work that are done in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.stages.experiment import open_experiment
from comp.stages.runners.devices import _Team
from comp.stages.runners.order import order_of
from comp.stages.runners.pieces import KINDS
from comp.train.stop import Stop


def test_each_kind_says_what_a_piece_is_called() -> None:
    assert {name: (kind.unit, kind.done) for name, kind in KINDS.items()} == {
        "train": ("fold", "trained"),
        "predict": ("fold", "predicted"),
        "sweep": ("run", "trained"),
        "check": ("part", "measured"),
        "pack": ("shard", "packed"),
        "embed": ("part", "embedded"),
    }


@pytest.mark.parametrize(("work", "said"), [("train", "`comp train --fold 4`"), ("pack", "")])
def test_a_piece_that_is_given_up_is_called_by_its_unit(
    planned: Callable[..., dict[str, Any]], work: str, said: str
) -> None:
    order = order_of(open_experiment(make_config(planned())), None, work=work)
    team: Any = _Team(order, None, Stop(None), None)  # type: ignore[arg-type]
    for _ in range(3):
        team.waiting = []
        team.waiting = type("Queue", (), {"appendleft": lambda self, fold: None})()
        team._give_back(4, "it died", ["last words"])
    text = str(team.failed[4])
    assert text.startswith(f"{KINDS[work].unit} 4: given back 3 times")
    assert said in text
    assert ("comp train" in text) == (work == "train")
