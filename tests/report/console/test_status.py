"""How far the folds are, as lines, as JSON and as what is left."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from comp.report.console.status import describe_left, print_status
from comp.stages.status import FoldStatus, Status

DONE = FoldStatus(0, "done", 5, 0, 5, 0.875, 3, 36.4, None, ("valid", "test"), (), None)
BEGUN = FoldStatus(1, "partial", 2, 7, 5, None, None, 40.0, "81 on here", (), (), None)
MISSING = FoldStatus(2, "missing", 0, 0, 5, None, None, None, None, (), (), None)
STATUS = Status("toy", "0123456789abcdef", None, (DONE, BEGUN, MISSING), None, False,
                "comp train --fold 1,2")  # fmt: skip


def test_each_fold_is_a_line_of_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(STATUS, " -c a.yaml", as_json=False)
    out = capsys.readouterr()
    assert out.out.splitlines() == [
        "toy: plan 01234567, 3 folds",
        "  fold 0  done      epoch 5/5  best 0.8750 (epoch 3)  36 s per epoch  "
        "predicted: valid, test",
        "  fold 1  partial   epoch 2/5  and 7 steps  40 s per epoch  held by 81 on here",
        "  fold 2  missing   epoch 0/5",
        "  about 0.09 h of training left, at the speed of the last epochs",
    ]
    assert out.err == "next: comp train --fold 1,2 -c a.yaml\n"


def test_what_is_wrong_with_a_fold_stands_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    keys = ("seed", "train.lr", "image.size", "train.epochs")
    bad = replace(MISSING, changed=keys, note="best.pt is missing or torn")
    print_status(replace(STATUS, folds=(bad,)), "", as_json=False)
    line = capsys.readouterr().out.splitlines()[1]
    assert line == (
        "  fold 2  missing   epoch 0/5  begun with another config: seed, train.lr, image.size  "
        "best.pt is missing or torn"
    )


@pytest.mark.parametrize(
    ("plan", "note", "head"),
    [
        (None, None, "toy: no plan yet, 3 folds"),
        (None, "the plan is not whole", "toy: the plan is not whole, 3 folds"),
    ],
)
def test_a_plan_that_is_missing_is_said_first(
    capsys: pytest.CaptureFixture[str], plan: str | None, note: str | None, head: str
) -> None:
    print_status(replace(STATUS, plan=plan, plan_note=note), "", as_json=False)
    assert capsys.readouterr().out.splitlines()[0] == head


@pytest.mark.parametrize(("current", "end"), [(True, ""), (False, "  (out of date)")])
def test_a_submission_is_named_and_whether_it_is_out_of_date(
    capsys: pytest.CaptureFixture[str], current: bool, end: str
) -> None:
    status = replace(STATUS, folds=(DONE,), submission="submissions/toy.csv", current=current,
                     next="done: the submission is written")  # fmt: skip
    print_status(status, " -c a.yaml", as_json=False)
    out = capsys.readouterr()
    assert out.out.splitlines()[-1] == f"  submission: submissions/toy.csv{end}"
    assert out.err == "done: the submission is written\n"


def test_json_is_the_status_with_the_time_that_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(STATUS, "", as_json=True)
    out = capsys.readouterr()
    found = json.loads(out.out)
    assert (found["seconds_left"], found["next"], out.err) == (320.0, "comp train --fold 1,2", "")
    assert found["folds"][0]["predicted"] == ["valid", "test"]


def test_what_is_left_is_named_by_epoch_and_step() -> None:
    assert describe_left(STATUS, " -c a.yaml") == (
        "left: fold 1 from epoch 3 step 7 of 5 epochs, fold 2 from epoch 1 step 0 of 5 epochs\n"
        "next: comp train --fold 1,2 -c a.yaml"
    )
    done = replace(STATUS, folds=(DONE,), next="comp ensemble")
    assert describe_left(done, "") == "left: nothing\nnext: comp ensemble"


def test_a_status_is_printed_without_rich_or_numpy() -> None:
    check = (
        "import sys\n"
        "import comp.report.console.status\n"
        "heavy = {'torch', 'numpy', 'pandas', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
