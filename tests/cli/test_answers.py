"""`comp ensemble`, `submission`, `explain`, `board` and `labels` as they are typed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., tuple[int, str, str]]
CSV = Path("submissions/toy_binary.csv")


@pytest.fixture
def config(finished: Callable[..., dict[str, Any]]) -> str:
    Path("toy.yaml").write_text(yaml.safe_dump(finished()))
    return "toy.yaml"


def test_options_of_an_ensemble_are_laid_over_the_config(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def ensemble(experiment: Any, request: Any) -> None:
        asked.append((experiment.config, request))
        raise KeyboardInterrupt

    monkeypatch.setattr("comp.stages.ensemble.ensemble", ensemble)
    shutil.copytree("runs/toy_binary", "runs/b")
    words = ["--vote", "rank", "--weights", "greedy", "--tune", "--tta", "hflip", "--partial"]
    comp("ensemble", "--runs", "toy_binary", "b", "--add", "x.csv", "--out", "o", *words)
    comp("ensemble", "-c", config, "--no-tune")
    (first, request), (second, plain) = asked
    assert (first.name, first.ensemble.vote, first.ensemble.weights) == (
        "toy_binary", "rank", "greedy",
    )  # fmt: skip
    assert (first.ensemble.tune, first.predict.tta) == (True, "hflip")
    assert (request.runs, request.added) == (("toy_binary", "b"), (Path("x.csv"),))
    assert (request.partial, request.out, request.added_kind) == (True, "o", "auto")
    assert second.ensemble.tune is False
    assert (plain.runs, plain.added, plain.partial, plain.out) == ((), (), False, None)


def test_an_ensemble_names_what_it_wrote(comp: Run, config: str) -> None:
    code, out, err = comp("ensemble", "-c", config, "--json")
    assert (code, json.loads(out)["submission"]) == (0, str(CSV))
    assert f"wrote {CSV} and {CSV.with_suffix('.json')}" in err
    code, _, err = comp("ensemble", "--runs", "toy_binry")
    assert (code, "Did you mean 'toy_binary'" in err) == (2, True)


def test_a_submission_is_checked_with_its_own_exit_code(comp: Run, config: str) -> None:
    code, out, err = comp("submission", "check", str(CSV), "-c", config)
    assert (code, out, err) == (0, f"{CSV}: 6 rows, would be accepted\n", "")
    CSV.write_text(CSV.read_text() + "t000,0\n")
    code, out, err = comp("submission", "check", str(CSV), "-c", config)
    assert (code, out) == (3, "")
    assert "Submission must have 6 rows; it has 7" in err


def test_two_submissions_are_compared(comp: Run, config: str) -> None:
    code, out, _ = comp("submission", "diff", "toy_binary", str(CSV))
    assert (code, "0 of 6 rows differ" in out) == (0, True)
    assert json.loads(comp("submission", "diff", "toy_binary", str(CSV), "--json")[1])


def test_the_command_is_shown_and_sent_only_with_yes(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comp.stages.submission.run", lambda site, words: "thank you")
    site = ["--set", "submission.site=kaggle", "--set", "submission.competition=digits"]
    words = ["submission", "send", "toy_binary", "-c", config, "-m", "hi", *site]
    code, out, err = comp(*words)
    assert (code, out) == (0, f"kaggle competitions submit -c digits -f {CSV} -m hi\n")
    assert err == "not sent: run this, or repeat with --yes\n"
    assert comp(*words, "--yes") == (0, "thank you\n", "")


def test_a_submission_is_explained(comp: Run, config: str) -> None:
    code, out, err = comp("explain", "toy_binary")
    assert (code, err) == (0, "")
    assert "runs/toy_binary/fold_0/test" in out
    assert comp("explain", "toy")[0] == 2


def test_scores_are_entered_shown_and_drawn(comp: Run, config: str) -> None:
    code, _, err = comp("board", "score", "toy_binary", "0.7264")
    assert (code, err) == (0, "wrote submissions/leaderboard/scores.json\n")
    comp("board", "score", "toy_binary", "0.71", "--private")
    code, out, err = comp("board", "--picture", "board.png", "--json")
    (group,) = json.loads(out)
    scores = [(e["public"], e["private"]) for e in group["entries"] if e["kind"] == "submission"]
    assert (code, scores, err) == (0, [(0.7264, 0.71)], "wrote board.png\n")
    assert Path("board.png").read_bytes().startswith(b"\x89PNG")


def test_doubted_labels_are_written_for_the_runs_that_are_named(comp: Run, config: str) -> None:
    code, out, err = comp("labels", "--runs", "toy_binary", "--json", "-q")
    assert (code, json.loads(out)["rows"], err) == (0, 24, "")
    code, out, err = comp("labels", "-c", config, "--out", "doubts.csv", "--sheet", "0")
    assert (code, "of 24 rows may be wrong" in out) == (0, True)
    assert err.splitlines()[-1] == "wrote doubts.csv"
    assert Path("doubts.csv").read_text().startswith("id,label,given,likely,margin,sure\n")
