"""What is printed about ensembles, doubted labels and views."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_toys import cells, heads

from comp.ensemble.blend import Blend
from comp.ensemble.compare import BlendRow, Scores
from comp.ensemble.evidence import Fit
from comp.ensemble.label_issues import LabelIssue
from comp.ensemble.prior import Shift
from comp.ensemble.tta_choice import ViewChoice, ViewRow
from comp.ensemble.votes import VOTES
from comp.inference.predictions import Predictions
from comp.report.console.ensemble_tables import print_ensemble, print_issues, print_views
from comp.stages.ensembling.members import Model
from comp.stages.ensembling.result import Ensembled
from comp.stages.labels import LabelIssues

OOF = Predictions(("a",), np.array([[0.5]], np.float32), ("no", "yes"), "sigmoid")
PLAIN = Scores(0.75, 0.75, 0.75, 0.5, 0.875)
TUNED = Scores(0.75, 0.875, 0.8125, 0.5, 0.875)
RULE = np.array([0.5])


def row(vote: str, weigher: str, scores: Scores, *weights: float) -> BlendRow:
    return BlendRow(VOTES[vote], weigher, Fit(np.array(weights), RULE), scores)


def result(*rows: BlendRow, models: tuple[Model, ...] = (), **over: Any) -> Ensembled:
    """What was written: the blend of the first row."""
    used = rows[0]
    models = models or (Model("one", OOF, ()), Model("two", OOF, ()))
    names = tuple(f"runs/{model.name}" for model in models)
    weights = tuple(used.fit.weights.tolist())
    made = Ensembled(
        path=Path("submissions/x.csv"),
        manifest=Path("submissions/x.json"),
        metric="macro_f1",
        blend=Blend(names, used.vote, weights, RULE, used.scores, "", used.weigher),
        models=models,
        table=rows,
        best=max(rows, key=lambda r: r.scores.honest),
        covered=9,
        of=9,
        rows=6,
        shares={"no": (0.5, 0.25), "yes": (0.5, 0.75)},
        as_test=None,
        prior=None,
        true_score=None,
        warnings=(),
    )
    return replace(made, **over)


def test_the_scores_stand_side_by_side_with_what_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_ensemble(result(row("soft", "equal", TUNED, 0.5, 0.5), true_score=0.625), as_json=False)
    out = capsys.readouterr()
    assert out.out.splitlines()[0] == "macro_f1, 2 members, soft vote, equal weights"
    assert cells(out.out) == [
        ["out of fold, raw", "0.7500", "nothing tuned"],
        ["out of fold, tuned", "0.8750", "tuned on itself: optimistic"],
        ["out of fold, honest", "0.8125", "95 % interval 0.5000 to 0.8750"],
        ["test, true", "0.6250", "from test_answers"],
        ["no", "50.0%", "25.0%"],
        ["yes", "50.0%", "75.0%"],
    ]
    assert "classes in the 6 answers" in out.out
    assert out.err == ""


def test_without_a_rule_no_tuned_score_is_shown_and_a_part_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = (Model("one", OOF, (), missing=(2, 3)),)
    made = result(row("soft", "equal", PLAIN, 1.0), models=models, covered=6)
    print_ensemble(made, as_json=False)
    out = capsys.readouterr()
    assert out.out.splitlines()[0] == "macro_f1, 1 member, soft vote, equal weights"
    assert [line[0] for line in cells(out.out)][:2] == ["out of fold, raw", "out of fold, honest"]
    interval = "95 % interval 0.5000 to 0.8750; PARTIAL: on 6 of 9 images only"
    assert cells(out.out)[1][2] == interval
    assert out.err.splitlines() == [
        "note: out of fold each image has one model, so votes and weights cannot be compared; "
        "add runs with --runs",
        "PARTIAL: one: without fold 2, 3",
    ]


def test_the_best_honest_row_is_marked_and_recommended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = row("soft", "equal", PLAIN, 0.5, 0.5), row("hard", "greedy", TUNED, 0.25, 0.75)
    print_ensemble(result(*rows), as_json=False)
    out = capsys.readouterr()
    assert "members with out-of-fold predictions: one, two" in out.out
    assert heads(out.out)[-1] == "fitted weights"
    assert cells(out.out)[:2] == [
        ["soft", "equal", "0.7500", "0.7500", "0.7500", "0.500-0.875", ".50 .50"],
        ["hard", "greedy", "0.7500", "0.8750", "0.8125 *", "0.500-0.875", ".25 .75"],
    ]
    assert out.err == "recommended: --vote hard --weights greedy\n"


def test_many_weights_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    many = row("soft", "greedy", PLAIN, *[0.25] * 4, *[0.0] * 3)
    print_ensemble(result(many, row("hard", "equal", PLAIN, *[1 / 7] * 7)), as_json=False)
    assert [line[6] for line in cells(capsys.readouterr().out)[:2]] == [
        "4 of 7 used",
        "7 of 7 used",
    ]


def test_notes_prior_and_warnings_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    made = result(row("soft", "equal", PLAIN, 0.5, 0.5))
    shift = Shift(np.array([0.5, 0.5]), np.array([0.125, 0.875]), estimated=True)
    noted = replace(made, blend=replace(made.blend, note="no rule holds"), prior=shift,
                    warnings=("all rows have the same answer",))  # fmt: skip
    print_ensemble(noted, as_json=False)
    assert capsys.readouterr().err.splitlines() == [
        "note: no rule holds",
        "note: class prior of the test set, estimated: no 12.5%, yes 87.5%; the scores are for "
        "this prior",
        "warning: all rows have the same answer",
    ]


def test_json_has_every_row_and_what_is_recommended(capsys: pytest.CaptureFixture[str]) -> None:
    rows = row("soft", "equal", PLAIN, 0.5, 0.5), row("hard", "greedy", TUNED, 0.25, 0.75)
    print_ensemble(result(*rows, warnings=("look",)), as_json=True)
    out = capsys.readouterr()
    found = json.loads(out.out)
    assert (found["submission"], found["true_score"]) == ("submissions/x.csv", None)
    assert (found["vote"], found["members"]) == ("soft", ["runs/one", "runs/two"])
    assert (found["covered"], found["of"], found["warnings"]) == (9, 9, ["look"])
    assert found["table"][1] == {
        "vote": "hard", "weigher": "greedy", "weights": [0.25, 0.75], "raw": 0.75,
        "tuned": 0.875, "honest": 0.8125, "low": 0.5, "high": 0.875,
    }  # fmt: skip
    assert found["recommended"] == {"vote": "hard", "weights": "greedy"}
    assert out.err == ""


def issue(number: int, *, sure: bool = False) -> LabelIssue:
    return LabelIssue(number, f"i{number}", "", "cat", "dog", -0.5, sure)


def test_doubted_labels_are_counted_and_the_first_twenty_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    issues = (issue(0, sure=True), *map(issue, range(1, 25)))
    print_issues(LabelIssues(issues, 90, ()), as_json=False)
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "25 labels of 90 rows may be wrong, 1 of them with confidence:"
    assert heads(out) == ["id", "column", "label", "likely", "confident", "margin"]
    assert len(cells(out)) == 20
    assert cells(out)[:2] == [
        ["i0", "", "cat", "dog", "yes", "-0.500"],
        ["i1", "", "cat", "dog", "", "-0.500"],
    ]
    print_issues(LabelIssues(issues, 90, ()), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], len(found["issues"])) == (90, 25)
    assert found["issues"][0] == {
        "id": "i0", "label": "", "given": "cat", "likely": "dog", "margin": -0.5, "sure": True,
    }  # fmt: skip


def test_a_view_is_shown_with_what_it_gains_over_the_plain_image(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = (ViewRow("id", 0.75, 0.75, 0), ViewRow("flip", 0.5, 0.875, 2))
    print_views(ViewChoice("id+flip", 0.75, 0.875, 0.8125, 3, rows), "macro_f1")
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "macro_f1 out of fold, by view; the image as it is: 0.7500"
    assert heads(out)[-1] == "folds better, of 3"
    assert cells(out) == [
        ["id", "0.7500", "0.7500", "+0.0000", "0"],
        ["flip", "0.5000", "0.8750", "+0.1250", "2"],
    ]
    assert out.splitlines()[-1] == (
        "chosen: id+flip (0.8750 as chosen (optimistic), 0.8125 chosen on other folds)"
    )
