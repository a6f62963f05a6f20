"""What a fold in training says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from train_jobs import make_job

from comp.train.logging import estimate_end, history_csv, report
from comp.train.stop import Stop

ROW = {"epoch": 1.0, "lr": 0.0015, "train_loss": 0.25, "valid_loss": 1 / 3, "macro_f1": 0.5}


def test_the_history_has_a_row_for_each_epoch_and_ten_digits() -> None:
    assert history_csv([{**ROW, "epoch": 0.0}, ROW]) == (
        "epoch,lr,train_loss,valid_loss,macro_f1\n"
        "0,0.0015,0.25,0.3333333333,0.5\n"
        "1,0.0015,0.25,0.3333333333,0.5\n"
    )


@pytest.mark.parametrize(
    ("known", "ends"),
    [
        ({"improved": True, "whole": True, "skipped": 0}, "macro_f1 0.5000 *  1.2 s"),
        ({"improved": False, "whole": True, "skipped": 2}, "macro_f1 0.5000  1.2 s  2 skipped"),
        ({"improved": False, "whole": False, "skipped": 0}, "0.5000  1.2 s  (the rest of it)"),
    ],
)
def test_an_epoch_is_one_line_that_is_kept_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], known: dict[str, Any], ends: str
) -> None:
    job = make_job(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    report(job, ROW, known.pop("improved"), 1.234, **known)
    line = capsys.readouterr().err
    assert line.startswith("fold 0  epoch 2/3  lr 1.50e-03  loss 0.2500  valid 0.3333  ")
    assert line.endswith(ends + "\n")
    assert job.run.log.read_text() == line


@pytest.mark.parametrize(
    ("seconds", "epochs"), [(100.0, "enough for 3 of the 4"), (70.0, "enough for the 4")]
)
def test_after_one_epoch_it_is_said_once_whether_the_hours_suffice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    epochs: str,
) -> None:
    monkeypatch.setattr(Stop, "left", property(lambda _: 320.0))
    stop = Stop(1.0)
    stop.later_epochs = 2  # of the folds to come
    job, state = make_job(tmp_path, stop=stop), SimpleNamespace(epoch=1)
    estimate_end(job, state, seconds)  # type: ignore[arg-type]
    message = capsys.readouterr().err
    assert message.startswith(
        f"about {seconds:.0f} s per epoch and 0.09 h left: {epochs} epochs that"
    )
    estimate_end(job, state, seconds)  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""


def test_without_a_limit_there_is_no_estimate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(tmp_path)
    estimate_end(replace(job, stop=Stop()), SimpleNamespace(epoch=1), 1.0)  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""
