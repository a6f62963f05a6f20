"""What `comp tune` prints."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from comp.report.console.tuned import print_tuned
from comp.stages.search.tune import Tried, Tuned, Verdict


def tuned(verdict: Verdict | None) -> Tuned:
    good = Tried({"train.lr": 0.00123, "augment.recipe": "light"}, 3, 0.91234, 0.3)
    late = Tried({"train.lr": 0.1, "augment.recipe": "none"}, 0, math.nan, math.nan, "out of time")
    bad = Tried({"train.lr": 0.1, "augment.recipe": "none"}, 0, math.nan, math.nan, "no memory")
    tried = (good, late, bad, *[good] * 9)
    return Tuned("macro_f1", tried, verdict, {}, Path("c.yaml"), Path("t.csv"), 60.0)


def test_trials_and_the_verdict_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_tuned(tuned(Verdict((0.8, 0.9), (0.9, 0.95), True)))
    shown = capsys.readouterr().out
    assert "0.9123" in shown
    assert "0.0012" in shown
    assert "out of time" in shown
    assert "failed" in shown
    assert "... and 2 more trials (t.csv has all)" in shown
    assert "beats the given config on 2 folds: +0.0750, spread over the folds 0.0354" in shown


def test_a_difference_within_the_spread_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_tuned(tuned(Verdict((0.8, 0.9), (0.9, 0.7), False)))
    assert (
        "does not beat the given config beyond noise on 2 folds: -0.0500" in capsys.readouterr().out
    )
    print_tuned(tuned(None))
    assert "no trial was better" in capsys.readouterr().out
