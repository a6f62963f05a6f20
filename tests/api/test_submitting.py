"""`comp.ensemble`, `submit` and `board` give what was written and what score to expect of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import write_csv

import comp
from comp.core.errors import SubmissionError, UsageError
from comp.stages import submission

Toy = Callable[..., dict[str, Any]]
CSV = Path("submissions/toy_binary.csv")


def test_an_ensemble_is_its_rows_its_table_and_its_members(finished: Toy, workspace: Path) -> None:
    made = comp.ensemble(finished(), workspace, quiet=True)
    assert (made.path, made.manifest) == (workspace / CSV, workspace / CSV.with_suffix(".json"))
    assert made.submission is not None
    rows = [line.split(",") for line in CSV.read_text().split()]
    assert made.submission.to_numpy().tolist() == rows[1:]
    assert list(made.submission.columns) == rows[0]
    assert list(made.table.columns) == [
        "vote", "weights", "raw", "tuned", "honest", "low", "high", "note",
    ]  # fmt: skip
    assert made.table[["vote", "weights"]].to_numpy().tolist() == [["soft", "equal"]]
    assert made.members.to_dict("list") == {
        "member": [f"runs/toy_binary/fold_{fold}/test" for fold in (0, 1)],
        "weight": [0.5, 0.5],
    }
    assert (made.metric, made.score) == ("macro_f1", made.table["honest"].item())
    assert (made.covered, made.of, made.true_score, made.warnings) == (24, 24, None, ())


def test_outside_tables_and_names_are_below_the_workspace(
    finished: Toy, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[f"t{number:03d}", number % 2] for number in range(6)]
    write_csv(workspace / "outside/votes.csv", [["id", "label"], *rows])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    made = comp.ensemble(
        finished(), workspace, add=["outside/votes.csv"], add_kind="labels", out="both", quiet=True
    )
    assert made.path == workspace / "submissions/both.csv"
    assert made.members["weight"].tolist() == [0.25, 0.25, 0.5]
    assert list((tmp_path / "here").iterdir()) == []


def test_a_submission_is_checked_and_its_command_shown(finished: Toy, workspace: Path) -> None:
    done = comp.submit(finished(), workspace, quiet=True)
    assert (done.path, done.rows, done.warnings) == (workspace / CSV, 6, ())
    assert (done.command, done.answer) == (None, None)
    site = {"submission": {"site": "kaggle", "competition": "digits"}}
    shown = comp.submit(finished(**site), workspace, str(CSV), message="hello", quiet=True)
    assert shown.command is not None
    assert shown.command.startswith("kaggle competitions submit -c digits -f ")
    assert shown.command.endswith("toy_binary.csv -m hello")
    assert shown.answer is None


def test_it_is_sent_on_request_only(
    finished: Toy, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "run", lambda site, words: "thank you")
    site = {"submission": {"site": "kaggle", "competition": "digits"}}
    assert comp.submit(finished(**site), workspace, send=True, quiet=True).answer == "thank you"
    with pytest.raises(comp.errors.ConfigError, match="where to"):
        comp.submit(finished(), workspace, send=True, quiet=True)


def test_a_file_that_would_be_refused_is_an_error(finished: Toy, workspace: Path) -> None:
    CSV.write_text("id,label\nt000,0\n")
    with pytest.raises(SubmissionError, match="Submission must have 6 rows; it has 1"):
        comp.submit(finished(), workspace, quiet=True)
    with pytest.raises(UsageError, match="no submission 'toy'"):
        comp.submit(finished(), workspace, "toy", quiet=True)


def test_the_board_is_a_frame_of_runs_and_submissions(finished: Toy, workspace: Path) -> None:
    runs = comp.board(workspace, quiet=True).runs
    assert list(runs.columns) == [
        "metric", "plan", "name", "kind", "raw", "honest", "low", "high", "folds", "public",
        "private", "note",
    ]  # fmt: skip
    assert sorted(runs["kind"]) == ["run", "submission"]
    plan = json.loads(Path("folds/toy_binary.json").read_text())["fingerprint"]
    assert (set(runs["metric"]), set(runs["plan"])) == ({"macro_f1"}, {plan})
    assert runs["public"].isna().all()
    with pytest.raises(UsageError, match="nothing to show"):
        comp.board(workspace / "input", quiet=True)


def test_the_board_runs_plugins_of_runs_only_when_asked_for(finished: Toy, workspace: Path) -> None:
    Path("evil.py").write_text("open('canary', 'w').close()\n")
    for config in Path("runs/toy_binary").glob("fold_*/config.yaml"):
        config.write_text(config.read_text().replace("plugins: {}", "plugins: {evil.py: ''}"))
    comp.board(workspace, quiet=True)
    assert not Path("canary").exists()
    comp.board(workspace, plugins=True, quiet=True)
    assert Path("canary").exists()
