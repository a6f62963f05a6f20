"""What is read of a run: its curves, its answers, what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.errors import RunError
from comp.inference.predictions import Predictions
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.reporting import opened as stage
from comp.stages.reporting.opened import answers_of, open_run, read_curves, seconds_of

Finished = Callable[..., dict[str, Any]]


def experiment_of(finished: Finished, **over: Any) -> Experiment:
    return open_experiment(make_config(finished(**over)))


def test_the_answers_of_each_image_are_of_the_model_that_did_not_see_it(
    finished: Finished,
) -> None:
    opened = open_run(experiment_of(finished))
    found = answers_of(opened)
    assert list(found.ids) == sorted(found.ids)
    assert found.target.tolist() == [row % 2 for row in range(24)]
    for number in (0, 1):
        saved = Predictions.load(Path(f"runs/toy_binary/fold_{number}/valid"))
        place = {name: row for row, name in enumerate(found.ids)}
        rows = [place[name] for name in saved.ids]
        assert found.fold[rows].tolist() == [number] * len(rows)
        assert found.probs[rows].tolist() == np.asarray(saved.probs).tolist()
    assert opened.notes == ()


def test_the_curves_are_those_of_the_histories(finished: Finished) -> None:
    experiment = experiment_of(finished)
    first, second = read_curves(experiment, 2)
    assert (first.fold, second.fold) == (0, 1)
    assert first.epochs.tolist() == [1, 2]
    assert first.best == first.columns["macro_f1"][first.best_epoch - 1]
    assert first.planned == 2
    assert first.seconds is not None
    Path("runs/toy_binary/fold_1/history.csv").write_text("epoch\nnothing\n")
    assert [curve.fold for curve in read_curves(experiment, 3)] == [0]


def test_validation_predictions_that_are_missing_are_made_and_test_images_left_alone(
    finished: Finished,
) -> None:
    experiment = experiment_of(finished)
    before = answers_of(open_run(experiment)).probs
    for number in (0, 1):
        shutil.rmtree(f"runs/toy_binary/fold_{number}/valid")
        shutil.rmtree(f"runs/toy_binary/fold_{number}/test")
    assert answers_of(open_run(experiment)).probs.tolist() == before.tolist()
    assert not Path("runs/toy_binary/fold_0/test").exists()


def test_folds_that_are_not_finished_are_left_out_and_told(finished: Finished) -> None:
    experiment = experiment_of(finished)
    Path("runs/toy_binary/fold_1/done.json").unlink()
    opened = open_run(experiment)
    found = answers_of(opened)
    assert len(found) == 12
    assert opened.notes == ("Folds 1 are not finished; they are in no figure.",)
    Path("runs/toy_binary/fold_0/done.json").unlink()
    with pytest.raises(RunError, match="no fold is trained to its end. Run `comp train` first"):
        open_run(experiment)


def test_a_rule_of_very_many_cells_is_not_tuned_and_that_is_told(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(finished, ensemble__tune=True)
    assert open_run(experiment).notes == ()
    monkeypatch.setattr(stage, "MOST_TUNED", 10)
    (note,) = open_run(experiment).notes
    assert note.startswith("The rule is not tuned here, since 1 classes of 24 images take long")


def test_the_time_of_a_fold_is_that_of_all_its_epochs(finished: Finished) -> None:
    run = experiment_of(finished).workspace.fold(0)
    run.log.write_text("fold 0  epoch 1/2  loss 1.0  12.5 s\nfold 0  epoch 2/2  loss 0.5  7.5 s\n")
    assert seconds_of(run) == 20
    run.log.unlink()
    assert seconds_of(run) is None
