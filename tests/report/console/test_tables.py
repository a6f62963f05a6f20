"""What is printed about plans, packs, training and sweeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plan_toys import index_of, plan_of
from report_toys import cells, heads

from comp.data.folds.balance import Balance
from comp.data.folds.plan import balance
from comp.report.console.printing import MANY_CLASSES
from comp.report.console.tables import print_packed, print_plan, print_sweep, print_trained
from comp.stages.pack import Packed
from comp.stages.search.sweep import Sweep, SweepRun
from comp.stages.train import Trained

INDEX = index_of([0, 1] * 6, classes=("cat", "dog"))
PLAN = plan_of(INDEX)


def test_a_plan_is_a_row_per_class_and_a_column_per_fold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_plan(PLAN, balance(PLAN, INDEX), as_json=False)
    out = capsys.readouterr()
    assert out.out.splitlines()[0] == "12 images, 2 folds, stratified, seed 42"
    assert heads(out.out) == ["fold", "0", "1"]
    assert cells(out.out) == [["images", "6", "6"], ["cat", "3", "3"], ["dog", "3", "3"]]
    assert out.out.splitlines()[-1] == "sizes within 0, classes within 0"
    assert out.err == ""


def test_groups_unevenness_and_images_outside_the_folds_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = Balance(np.array([4, 7]), {"cat": np.array([1, 4]), "dog": np.array([3, 3])},
                   groups=np.array([2, 3]))  # fmt: skip
    print_plan(PLAN, made, as_json=False)
    out = capsys.readouterr().out
    assert cells(out)[1] == ["groups", "2", "3"]
    last = out.splitlines()[-1]
    assert last == "sizes within 3, classes within 3 (cat); 1 images are only trained on"


def test_a_hold_out_says_what_it_validates_on(capsys: pytest.CaptureFixture[str]) -> None:
    made = Balance(np.array([3]), {"cat": np.array([3])})
    print_plan(replace(PLAN, count=1), made, as_json=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "3 images are validated on, 9 are only trained on"


def test_many_classes_and_leaks_are_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {f"class {n}": np.array([1, 1]) for n in range(MANY_CLASSES + 2)}
    plan = replace(PLAN, leak=tuple(f"copies {n}" for n in range(7)), warnings=("few images",))
    print_plan(plan, Balance(np.array([6, 6]), counts), as_json=False)
    out = capsys.readouterr()
    assert len(cells(out.out)) == 1 + MANY_CLASSES
    assert "... and 2 more classes (--json has all)" in out.out
    assert out.err.splitlines() == [
        "warning: few images",
        *(f"warning: leakage, accepted with --allow-leak: copies {n}" for n in range(5)),
        "warning: and 2 more leaks (--json has all)",
    ]


def test_a_plan_as_json_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    plan = replace(PLAN, leak=("copies",), warnings=("few",), extended=2)
    print_plan(plan, balance(plan, INDEX), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "scheme": "stratified",
        "seed": 42,
        "count": 2,
        "fingerprint": plan.fingerprint,
        "balance": {"rows": [6, 6], "classes": {"cat": [3, 3], "dog": [3, 3]}, "groups": None},
        "warnings": ["few"],
        "leak": ["copies"],
        "extended": 2,
    }


PACKS = [
    Packed("train", 12, Path("cache/ab"), 2_500_000, 1.25),
    Packed("test", 4, None, 0, 0.0),
]


def test_packs_say_where_they_are_or_that_there_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_packed(PACKS, as_json=False)
    assert cells(capsys.readouterr().out) == [
        ["train", "12", "2.5", "1.2", "cache/ab"],
        ["test", "4", "0.0", "0.0", "nowhere: image.pack is none"],
    ]
    print_packed(PACKS, as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first == {"part": "train", "images": 12, "folder": "cache/ab", "bytes": 2500000,
                     "seconds": 1.25}  # fmt: skip
    assert second["folder"] == ""


def test_the_best_epoch_is_counted_from_one_and_an_undefined_score_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    best = {"epoch": 3, "macro_f1": 0.875, "valid_loss": 0.5}
    done = [
        Trained(0, {"best": best, "epochs": 5}, before=False),
        Trained(2, {"best": {**best, "macro_f1": None}, "epochs": 5}, before=True),
    ]
    print_trained(done, "macro_f1", as_json=False)
    out = capsys.readouterr().out
    assert heads(out) == ["fold", "macro_f1", "valid loss", "epoch", "of"]
    assert cells(out) == [
        ["0", "0.8750", "0.5000", "4", "5"],
        ["2", "undefined", "0.5000", "4", "5"],
    ]
    print_trained(done, "macro_f1", as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first == {"fold": 0, "before": False, "best": best, "epochs": 5}
    assert (second["fold"], second["before"]) == (2, True)


def test_a_refit_has_a_number_of_its_own_and_no_fold(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = {"fold": 5, "validated": False, "epochs": 4}
    done = [Trained(number, {**manifest, "fold": number}, before=False) for number in (5, 6)]
    print_trained(done, "macro_f1", as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"refit": number, "before": False, "validated": False, "epochs": 4} for number in (0, 1)
    ]


def test_runs_of_a_sweep_have_a_column_per_setting(capsys: pytest.CaptureFixture[str]) -> None:
    runs = (
        SweepRun({"train.lr": 0.01}, "s-1", 0.75, 0.5),
        SweepRun({"seed": 7}, "s-2", None, 0.25),
        SweepRun({"train.lr": 1.0}, "s-3", None, None, "the loss is not finite"),
    )
    print_sweep(Sweep("macro_f1", runs, Path("sweeps/s.csv")))
    out = capsys.readouterr().out
    assert heads(out) == ["train.lr", "seed", "macro_f1", "valid loss", "run"]
    assert cells(out) == [
        ["0.01", "", "0.7500", "0.5000", "s-1"],
        ["", "7", "undefined", "0.2500", "s-2"],
        ["1.0", "", "failed", "", "s-3"],
    ]
