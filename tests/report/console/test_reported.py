"""What `comp report` prints."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from answer_toys import six

from comp.ensemble.compare import Scores
from comp.report.console.reported import print_reported, print_versus
from comp.report.run.page import Shown
from comp.report.run.versus import Difference
from comp.report.run.versus_page import Blended, Contender
from comp.stages.reporting.report import Reported
from comp.stages.reporting.versus import Versus

SHOWN = Shown(sentences=["macro_f1 0.9"], hints=["train longer"])
MADE = Reported(Path("x.html"), None, SHOWN, Scores(0.5, 0.6, 0.55, math.nan, math.nan), 9)
GAIN = Difference(0.1, 0.05, 0.15, 1.0, 9)


def test_the_sentences_and_what_to_try_next(capsys: pytest.CaptureFixture[str]) -> None:
    print_reported(MADE, as_json=False)
    assert capsys.readouterr().out == "macro_f1 0.9\n- train longer\n"
    print_reported(MADE, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "summary": ["macro_f1 0.9"],
        "next": ["train longer"],
        "scores": {"raw": 0.5, "tuned": 0.6, "honest": 0.55, "low": None, "high": None},
        "units": 9,
        "few_units": True,
    }


def test_several_runs_are_told_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    runs = (Contender("a", six(), None), Contender("b", six(), None))
    blends = (Blended("", six().scores, None), Blended("a", six().scores, GAIN))
    found = Versus(Path("x.html"), runs, (GAIN,), blends, ("a", GAIN), ("b is better",))
    print_versus(found, as_json=False)
    assert capsys.readouterr().out == "b is better\n"
    print_versus(found, as_json=True)
    told = json.loads(capsys.readouterr().out)
    gain = {"gain": 0.1, "low": 0.05, "high": 0.15, "share": 1, "units": 9, "certain": True}
    assert told["gains"] == {"b": {"over": "a", **gain}}
    assert told["blend"] == {**told["runs"]["a"], "over": "a", **gain}
    assert [*told["runs"], *told["adds"]] == ["a", "b", "a"]
