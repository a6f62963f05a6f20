"""`comp.report`: the page, and its figures as frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

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
