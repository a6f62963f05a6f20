"""`comp.report`: the page, and its figures as frames; `comp.watch`: one look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import comp


def test_a_run_gives_its_figures_as_frames(
    finished: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    made = comp.report(finished(), workspace, maps=False, quiet=True, out="pages/own.html")
    assert made.path == workspace / "pages/own.html"
    assert made.path.is_file()
    assert made.summary[0].startswith("macro_f1 ")
    assert made.classes["support"].tolist() == [12, 12]
    assert made.slices.loc[made.slices["kind"] == "fold", "images"].tolist() == [12, 12]
    assert set(made.images["id"]) <= {f"{row:05d}" for row in range(24)}
    assert made.images["badness"].is_monotonic_decreasing
    assert isinstance(made.runs, pd.DataFrame)
    assert made.runs.empty
    named = comp.report(finished(), workspace, ["toy_binary"], maps=False, quiet=True)
    assert named.path == workspace / "runs/toy_binary/report.html"
    pd.testing.assert_frame_equal(named.classes, made.classes)


def test_one_look_gives_folds_and_history_as_frames(
    finished: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    for names in ((), ("toy_binary",)):
        seen = comp.watch(finished(), workspace, names)
        assert seen.folds["state"].tolist() == ["done", "done"]
        assert seen.folds["best_epoch"].tolist() == [2, 2]
        assert seen.history["epoch"].tolist() == [1, 2, 1, 2]
        assert {"run", "fold", "valid_loss", "macro_f1"} <= {*seen.history}
        assert seen.summary[0].startswith("toy_binary: 2 of 2 done")


def test_a_run_that_has_not_begun_has_folds_and_no_history(
    planned: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    seen = comp.watch(planned(), workspace)
    assert seen.folds["state"].tolist() == ["waiting", "waiting"]
    assert len(seen.history) == 0
    with pytest.raises(comp.errors.UsageError, match="is no name of a run"):
        comp.watch(planned(), workspace, ["../x"])
