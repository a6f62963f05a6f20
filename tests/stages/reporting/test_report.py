"""`comp report` writes a page; so does the end of training, which it cannot fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import CompError
from comp.stages.experiment import open_experiment
from comp.stages.folds import make_folds
from comp.stages.reporting import report as stage
from comp.stages.reporting.report import report_run, report_training
from comp.stages.train import train

PAGE = Path("runs/toy_binary/report.html")


def test_the_page_is_in_the_folder_of_the_run_or_where_it_is_wanted(
    finished: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    experiment = open_experiment(make_config(finished()))
    made = report_run(experiment, maps=False)
    assert made.path == PAGE
    assert made.found is not None
    text = PAGE.read_text(encoding="utf-8")
    assert f"macro_f1 {made.found.scores.honest:.4f}" in text
    assert "data:image/jpeg;base64," in text
    again = report_run(experiment, tmp_path / "other.html", maps=False)
    assert again.path.read_bytes() == PAGE.read_bytes()


def test_masks_have_their_classes_and_pictures(toy: Callable[..., dict[str, Any]]) -> None:
    experiment = open_experiment(make_config(toy("segmentation", 12, train__epochs=1)))
    make_folds(experiment)
    train(experiment, "all")
    made = report_run(experiment)
    text = made.path.read_text(encoding="utf-8")
    assert made.found is None
    assert made.shown.sentences[0].startswith("dice 0.")
    assert '<h2 id="masks">' in text
    assert "Image of" not in text
    assert 'alt="prediction of 0' in text
    assert len(re.findall('alt="spoke for (disc|box|1|2) of', text)) == 6  # of the worst ones


def test_training_leaves_a_page_of_its_curves_once_all_folds_are_done(
    finished: Callable[..., dict[str, Any]],
) -> None:
    experiment = open_experiment(make_config(finished()))
    assert report_training(experiment) == PAGE
    text = PAGE.read_text(encoding="utf-8")
    assert '<h2 id="curves">' in text
    assert "<code>comp report</code> predicts the validation images" in text
    PAGE.unlink()
    Path("runs/toy_binary/fold_1/done.json").unlink()
    assert report_training(experiment) is None
    assert not PAGE.exists()


@pytest.mark.parametrize("problem", [CompError("the disk is full"), ValueError("a bug")])
def test_a_page_that_fails_is_told_and_training_is_done_all_the_same(
    finished: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problem: Exception,
) -> None:
    def fails(*_: Any) -> None:
        raise problem

    monkeypatch.setattr(stage, "write_run_page", fails)
    assert report_training(open_experiment(make_config(finished()))) is None
    assert f"no page of this run: {problem}" in capsys.readouterr().err.replace("ValueError: ", "")
