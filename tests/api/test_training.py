"""`comp.train`, `predict` and `read_predictions` give folds, histories and probabilities."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import comp
from comp.api.training import FoldProbabilities, PredictResult
from comp.core.errors import OutOfTime, PredictionsError, RunError, UsageError

Toy = Callable[..., dict[str, Any]]


def test_folds_have_a_row_each_and_a_history_by_epoch(finished: Toy, workspace: Path) -> None:
    done = comp.train(finished(), workspace, quiet=True)
    assert done.metric == "macro_f1"
    assert list(done.folds.columns) == [
        "best_epoch", "macro_f1", "valid_loss", "epochs", "skipped", "folder",
    ]  # fmt: skip
    assert done.folds.index.tolist() == [0, 1]
    assert done.folds["skipped"].all()
    assert done.folds["epochs"].tolist() == [2, 2]
    assert done.folds["folder"].tolist() == [
        workspace / f"runs/toy_binary/fold_{k}" for k in (0, 1)
    ]
    assert done.history[["fold", "epoch"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    for fold, row in done.folds.iterrows():
        own = done.history[done.history["fold"] == fold].set_index("epoch")
        best = own.loc[row["best_epoch"]]
        assert best["macro_f1"] == pytest.approx(row["macro_f1"], abs=1e-6)
        assert own["macro_f1"].max() == best["macro_f1"]


@pytest.mark.parametrize(
    ("folds", "numbers"), [("all", [0, 1]), ("0..1", [0, 1]), (1, [1]), ([1, 0], [0, 1])]
)
def test_folds_are_given_as_text_a_number_or_several(
    finished: Toy, workspace: Path, folds: Any, numbers: list[int]
) -> None:
    assert comp.train(finished(), workspace, folds, quiet=True).folds.index.tolist() == numbers
    assert list(comp.read_predictions(finished(), workspace, folds, quiet=True).valid) == numbers


@pytest.mark.parametrize("folds", [[], 1.5, None, True, ["0"], [0, None]])
def test_what_is_no_fold_is_refused_in_the_words_of_the_call(
    planned: Toy, workspace: Path, folds: Any
) -> None:
    text = re.escape(f"folds={folds!r}: give a number, several, or text such as '0..2' or 'all'")
    for call in (comp.train, comp.predict, comp.read_predictions):
        with pytest.raises(UsageError, match=text):
            call(planned(), workspace, folds, quiet=True)
    with pytest.raises(
        UsageError, match=r"^folds '9': there is no fold 9; the plan has folds 0\.\.1"
    ):
        comp.train(planned(), workspace, 9, quiet=True)


def test_a_fold_may_be_a_number_of_numpy(finished: Toy, workspace: Path) -> None:
    done = comp.train(finished(), workspace, np.int64(1), quiet=True)
    assert done.folds.index.tolist() == [1]


def test_a_fold_starts_over_on_request(finished: Toy, workspace: Path) -> None:
    changed = finished(train__lr=0.5, train__epochs=1)
    with pytest.raises(RunError, match="lr"):
        comp.train(changed, workspace, 0, quiet=True)
    done = comp.train(changed, workspace, 0, restart=True, quiet=True)
    assert (done.folds["skipped"].tolist(), done.folds["epochs"].tolist()) == ([False], [1])
    noted = json.loads((workspace / "runs/toy_binary/fold_0/sessions.json").read_text())["sessions"]
    assert [(entry["command"], entry["folder"]) for entry in noted] == [
        ("comp.train(config, workspace, '0', restart=True)", str(workspace))
    ]


@pytest.mark.parametrize(("restart", "words"), [(False, ""), (True, " without restart")])
def test_the_hours_end_with_the_call_that_goes_on(
    planned: Toy, workspace: Path, restart: bool, words: str
) -> None:
    with pytest.raises(OutOfTime, match=f"the same call{words} continues there"):
        comp.train(planned(), workspace, 0, restart=restart, max_hours=1e-9, quiet=True)


def test_an_interrupt_writes_a_checkpoint_and_raises(
    planned: Toy, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comp.train.loop as loop

    update, before = loop.update, signal.getsignal(signal.SIGINT)

    def interrupted(*args: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return update(*args)

    monkeypatch.setattr(loop, "update", interrupted)
    with pytest.raises(KeyboardInterrupt, match="the same call continues there"):
        comp.train(planned(), workspace, folds=0, quiet=True)
    assert signal.getsignal(signal.SIGINT) is before
    assert (workspace / "runs/toy_binary/fold_0/last.pt").is_file()
    monkeypatch.setattr(loop, "update", update)
    assert comp.train(planned(), workspace, folds=0, quiet=True).folds["skipped"].tolist() == [
        False
    ]


def test_a_second_interrupt_leaves_at_once(
    planned: Toy, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comp.train.loop as loop

    def interrupted(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop, "update", interrupted)
    with pytest.raises(KeyboardInterrupt, match="SIGINT: left at once"):
        comp.train(planned(), workspace, folds=0, quiet=True)


def test_predictions_are_made_where_they_are_missing_and_read_back(
    finished: Toy, workspace: Path
) -> None:
    folder = workspace / "runs/toy_binary"
    shutil.rmtree(folder / "fold_1/test")
    with pytest.raises(PredictionsError, match=r"fold_1: not predicted yet; call comp\.predict"):
        comp.read_predictions(finished(), workspace, quiet=True)
    made = comp.predict(finished(), workspace, quiet=True)
    assert made.folder == folder
    assert (list(made.valid), list(made.test)) == ([0, 1], [0, 1])
    part = made.valid[1]
    assert (type(part.probs), part.probs.flags.writeable) == (np.ndarray, True)
    assert part.probs.shape == (12, 1)
    assert (part.classes, part.source["fold"], part.source["part"]) == (("0", "1"), 1, "valid")
    read = comp.read_predictions(finished(), workspace, 1, quiet=True)
    assert (read.test[1].probs == made.test[1].probs).all()
    assert read.test[1].ids == tuple(f"t{number:03d}" for number in range(6))


def probs(ids: str, *values: list[float], classes: str = "xy") -> FoldProbabilities:
    return FoldProbabilities(tuple(ids), np.array(values, np.float32), tuple(classes), {})


def test_out_of_fold_rows_are_sorted_and_test_rows_averaged_by_id() -> None:
    found = PredictResult(
        valid={0: probs("ca", [0.25, 0.75], [0.5, 0.5]), 1: probs("b", [1.0, 0.0])},
        test={0: probs("uv", [1.0, 0.0], [0.5, 0.5]), 1: probs("vu", [0.0, 1.0], [0.5, 0.5])},
        folder=Path("runs/x"),
    )
    expected = pd.DataFrame({"x": [0.5, 1, 0.25], "y": [0.5, 0, 0.75]}, index=[*"abc"])
    assert found.oof.to_dict() == expected.to_dict()
    assert found.test_mean.to_dict("index") == {
        "u": {"x": 0.75, "y": 0.25},
        "v": {"x": 0.25, "y": 0.75},
    }
    assert (found.oof.index.name, found.test_mean.index.name) == ("id", "id")


def test_binary_probabilities_are_of_the_second_class_and_maps_have_no_table() -> None:
    assert probs("a", [0.75]).frame.to_dict() == {"y": {"a": 0.75}}
    maps = FoldProbabilities(("a",), np.zeros((1, 2, 4, 4), np.uint8), ("x", "y"), {})
    with pytest.raises(UsageError, match="probabilities of pixels have no table; use `probs`"):
        _ = maps.frame
