"""What `comp report` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from answer_toys import six

from comp.report.console.reported import print_reported, print_versus
from comp.report.run.page import Shown
from comp.report.run.versus import Difference
from comp.report.run.versus_page import Blended, Contender
from comp.stages.reporting.versus import Versus

SHOWN = Shown(sentences=["macro_f1 0.9"], hints=["train longer"])
GAIN = Difference(0.1, 0.05, 0.15, 1.0)


def test_the_sentences_and_what_to_try_next(capsys: pytest.CaptureFixture[str]) -> None:
    print_reported(SHOWN, as_json=False)
    assert capsys.readouterr().out == "macro_f1 0.9\n- train longer\n"
    print_reported(SHOWN, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "summary": ["macro_f1 0.9"],
        "next": ["train longer"],
    }


def test_several_runs_are_told_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    runs = (Contender("a", six(), None), Contender("b", six(), None))
    blends = (Blended("", six().scores, None), Blended("a", six().scores, GAIN))
    found = Versus(Path("x.html"), runs, (GAIN,), blends, ("b is better",))
    print_versus(found, as_json=False)
    assert capsys.readouterr().out == "b is better\n"
    print_versus(found, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["gains"] == {"b": {"over": "a", "gain": 0.1, "low": 0.05, "high": 0.15, "share": 1}}
    assert [*told["runs"], *told["adds"]] == ["a", "b", "a"]
