"""What `best.pt` holds, and how one that does not belong to the fold is found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from train_jobs import make_job

from comp.core.errors import RunError
from comp.train.checkpoints.saving import check_best, save_best, weights_only
from comp.train.train_state import new_state


def test_predictions_are_made_from_the_averaged_weights_where_there_are_any(tmp_path: Path) -> None:
    state = new_state(make_job(tmp_path, train__ema=0.9), 2, 8)
    assert state.ema is not None
    with torch.no_grad():
        state.ema.module.get_parameter("fc.bias").fill_(7.0)
    saved = weights_only(make_job(tmp_path), state)
    assert saved["model"]["fc.bias"].tolist() == [7.0] * 3
    assert (saved["plan"], saved["fold"], saved["classes"]) == ("plan" * 16, 0, ["x", "y", "z"])


def test_the_best_of_another_fold_or_epoch_is_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    state = new_state(job, 2, 8)
    state.best = {"epoch": 1, "macro_f1": 0.5}
    save_best(job, state)
    check_best(job, state)
    with pytest.raises(RunError, match=r"best\.pt: of another fold, plan or epoch"):
        check_best(replace(job, fold=1), state)
    state.best = {"epoch": 2, "macro_f1": 0.6}
    with pytest.raises(RunError, match=r"best\.pt: of another fold, plan or epoch"):
        check_best(job, state)
