"""All runs and submissions side by side, and the leaderboard scores that were entered."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.checksums import digest_file
from comp.core.errors import UsageError
from comp.inference.predictions import Predictions
from comp.stages import board
from comp.stages.board import BoardEntry, enter_score, read_board
from comp.stages.ensemble import ensemble
from comp.stages.ensembling.result import Request
from comp.stages.experiment import open_experiment
from comp.stages.status import read_status

Toy = Callable[..., dict[str, Any]]
CSV, MANIFEST = Path("submissions/toy_binary.csv"), Path("submissions/toy_binary.json")


def entries() -> dict[tuple[str, str], BoardEntry]:
    return {(e.name, e.kind): e for group in read_board() for e in group.entries}


def sent() -> BoardEntry:
    return entries()["toy_binary", "submission"]


def edit(path: Path, **over: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **over}))


def copy_run(name: str, *changes: tuple[str, str]) -> None:
    """Another run with the same folds; changes: text of its config and manifests, old -> new."""
    shutil.copytree("runs/toy_binary", f"runs/{name}")
    for path in Path(f"runs/{name}").rglob("*"):
        if path.name in ("config.yaml", "done.json"):
            text = path.read_text()
            for old, new in changes:
                text = text.replace(old, new)
            path.write_text(text)


def test_a_run_and_its_submission_have_the_same_scores(finished: Toy) -> None:
    (group,) = read_board()
    plan = json.loads(Path("folds/toy_binary.json").read_text())["fingerprint"]
    assert (group.metric, group.greater_is_better, group.plan) == ("macro_f1", True, plan)
    run = entries()["toy_binary", "run"]
    scores = json.loads(MANIFEST.read_text())["blend"]["scores"]
    for entry in (sent(), run):
        found = (entry.raw, entry.honest, entry.low, entry.high, entry.note)
        assert found == (*(scores[k] for k in ("raw", "honest", "low", "high")), "")
        assert math.isnan(entry.public)
    done = [json.loads(p.read_text()) for p in Path("runs/toy_binary").glob("fold_*/done.json")]
    assert run.folds == np.mean([manifest["best"]["macro_f1"] for manifest in done])
    assert math.isnan(sent().folds)


def test_the_board_keeps_apart_what_cannot_be_compared(finished: Toy) -> None:
    copy_run("loss", ("macro_f1", "accuracy"))
    groups = read_board()
    assert [group.metric for group in groups] == ["accuracy", "macro_f1"]
    assert [(e.name, e.kind) for e in groups[0].entries] == [("loss", "run")]


def test_leaderboard_scores_are_of_the_file_that_they_were_entered_for(finished: Toy) -> None:
    out = enter_score("toy_binary", 0.7264, private=False)
    enter_score(str(CSV), 0.71, private=True)
    assert out == Path("submissions/leaderboard/scores.json")
    kept = {"sha256": digest_file(CSV), "public": 0.7264, "private": 0.71}
    assert json.loads(out.read_text()) == {"toy_binary": kept}
    assert (sent().public, sent().private, sent().note) == (0.7264, 0.71, "")
    CSV.write_text(CSV.read_text() + "\n")
    assert sent().note == "leaderboard scores are of an older file"
    enter_score("toy_binary", 0.5, private=False)
    assert (sent().public, math.isnan(sent().private), sent().note) == (0.5, True, "")


def test_a_submission_called_scores_loses_no_scores(finished: Toy) -> None:
    enter_score("toy_binary", 0.75, private=False)
    ensemble(open_experiment(make_config(finished())), Request(out="scores"))
    assert sent().public == 0.75
    assert ("scores", "submission") in entries()


def test_scores_of_version_0_1_0_are_read_but_not_its_manifest(finished: Toy) -> None:
    old = Path("submissions/scores.json")
    old.write_text(json.dumps({"toy_binary": {"sha256": digest_file(CSV), "public": 0.25}}))
    assert sent().public == 0.25
    old.write_text(json.dumps({"file": "scores.csv", "toy_binary": {"public": 0.25}}))
    assert math.isnan(sent().public)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("toy_binry", 0.5, "no submission 'toy_binry'.*Did you mean 'toy_binary'"),
        ("toy_binary", float("nan"), "nan: a score is a finite number"),
        ("toy_binary", float("inf"), "inf: a score is a finite number"),
    ],
)
def test_a_score_is_a_finite_number_of_a_submission(
    finished: Toy, name: str, value: float, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        enter_score(name, value, private=False)
    assert not Path("submissions/leaderboard").exists()


def test_what_is_known_of_a_submission_is_noted(finished: Toy) -> None:
    edit(MANIFEST, covered=16)
    assert sent().note == "partial: 16 of 24 images."
    edit(MANIFEST, covered=24, prior={"0": 0.5, "1": 0.5})
    assert sent().note == "at another class balance (ensemble.prior)."
    edit(MANIFEST, file="toy_binary.zip")  # of another file with the same name
    bare = sent()
    assert (bare.note, math.isnan(bare.raw)) == ("no manifest.", True)
    MANIFEST.unlink()
    groups = read_board()
    assert [group.metric for group in groups] == ["macro_f1", "unknown"]
    (bare,) = groups[1].entries
    assert (bare.name, bare.kind, bare.note) == ("toy_binary", "submission", "no manifest.")


def test_the_board_reads_a_run_on_the_plan_of_another(finished: Toy) -> None:
    copy_run("other", ("plan: null", "plan: toy_binary"))
    (group,) = read_board()
    other, own = (entries()[name, "run"] for name in ("other", "toy_binary"))
    assert len(group.entries) == 3
    assert (other.note, other.honest) == ("", own.honest)


@pytest.mark.parametrize(
    ("broken", "note"),
    [
        ("plan", "its plan is no longer there"),
        ("valid", "not all folds are predicted (`comp predict`)"),
    ],
)
def test_a_run_that_cannot_be_judged_is_there_with_the_reason(
    finished: Toy, broken: str, note: str
) -> None:
    done = Path("runs/toy_binary/fold_0/done.json")
    if broken == "valid":
        Path("runs/toy_binary/fold_1/valid/manifest.json").unlink()
    else:
        edit(done, plan="f" * 64)
    found = entries()["toy_binary", "run"]
    assert (found.note, math.isnan(found.honest), math.isnan(found.folds)) == (note, True, False)


def test_a_run_that_cannot_be_read_is_there_with_the_message(finished: Toy) -> None:
    for path in Path("runs/toy_binary").glob("fold_*/config.yaml"):
        path.write_text(path.read_text().replace("seed: 42", "sead: 42"))
    found = entries()["toy_binary", "run"]
    assert found.note.startswith("runs/toy_binary/fold_0/config.yaml: - sead: unknown key")
    assert len(found.note) == 100
    assert math.isnan(found.folds)


def test_the_best_comes_first_and_what_has_no_score_last(finished: Toy) -> None:
    for number, name in enumerate("abc"):
        shutil.copy(CSV, f"submissions/{name}.csv")
        scores = {"raw": 0.5, "honest": [0.25, None, 0.875][number], "low": 0.1, "high": 1.0}
        manifest = json.loads(MANIFEST.read_text())
        blend = {**manifest["blend"], "scores": scores}
        Path(f"submissions/{name}.json").write_text(
            json.dumps({**manifest, "file": f"{name}.csv", "blend": blend, "metric": "log_loss"})
        )
    group = next(group for group in read_board() if group.metric == "log_loss")
    assert [entry.name for entry in group.entries] == ["a", "c", "b"]  # the lowest loss first
    assert not group.greater_is_better
    for name in "abc":
        edit(Path(f"submissions/{name}.json"), metric="accuracy")
    group = next(group for group in read_board() if group.metric == "accuracy")
    assert [entry.name for entry in group.entries] == ["c", "a", "b"]


def test_masks_are_left_to_the_ensemble(finished: Toy) -> None:
    for path in Path("runs/toy_binary").glob("fold_*/config.yaml"):
        text = path.read_text().replace("task: binary", "task: segmentation")
        path.write_text(text.replace("metric: macro_f1", "metric: dice"))
    found = entries()["toy_binary", "run"]
    assert found.note == "masks are scored by `comp ensemble`: see its submission"


def test_several_labels_are_read_back_from_the_plan(finished: Toy) -> None:
    """The plan keeps them as text: `0|1`, or nothing."""
    from comp.data.folds.plan_file import load_plan
    from comp.stages.board import _target

    plan = load_plan(Path("folds/toy_binary.csv"), Path("folds/toy_binary.json"))
    assert _target(plan, 1).tolist() == [number % 2 for number in range(24)]
    several = replace(plan, labels=("0|1", "", "1", *["0"] * 21))
    assert _target(several, 2)[:4].tolist() == [[1, 1], [0, 0], [0, 1], [1, 0]]


def test_scores_come_from_the_predictions_joined_by_id(finished: Toy) -> None:
    """Right answers in another order of rows score 1."""
    for folder in Path("runs/toy_binary").glob("fold_*/valid"):
        old = Predictions.load(folder)
        right = np.array([[float(int(name) % 2)] for name in old.ids[::-1]], np.float32)
        replace(old, ids=old.ids[::-1], probs=right).save(folder)
    assert (entries()["toy_binary", "run"].raw, sent().raw < 1) == (1.0, True)


DAMAGES = [
    b"",
    b"[1]",
    b"\xff\xfe\x00",
    b'{"best": 1, "blend": 2, "plan": [], "file": "a/b", "covered": "x", "toy_binary": 3}',
]


def test_whatever_file_is_torn_the_rest_is_shown(finished: Toy) -> None:
    """Every file of a run and of a submission in turn, and every file that they share."""
    copy_run("other")
    shutil.copy(CSV, "submissions/second.csv")
    enter_score("toy_binary", 0.7264, private=False)
    torn = [
        *Path("runs/other").rglob("*"),
        *Path("folds").iterdir(),
        *Path("submissions").rglob("*"),
    ]
    config = make_config(finished())
    before = entries()
    for number, path in enumerate(filter(Path.is_file, torn)):
        content = path.read_bytes()
        for damage in (content[: len(content) // 2], DAMAGES[number % len(DAMAGES)]):
            path.write_bytes(damage)
            shown = entries()
            assert shown.keys() == before.keys()
            if path.parts[0] == "runs":
                assert repr(shown["toy_binary", "run"]) == repr(before["toy_binary", "run"])
            assert len(read_status(config).folds) == 2
        path.write_bytes(content)
    assert repr(entries()) == repr(before)


def test_a_torn_manifest_of_a_fold_is_noted_with_its_file(finished: Toy) -> None:
    Path("runs/toy_binary/fold_1/done.json").write_text("{")
    run = entries()["toy_binary", "run"]
    assert run.note.startswith("runs/toy_binary/fold_1/done.json: not readable as JSON")
    assert not math.isnan(run.folds)


def test_plugins_of_a_run_are_run_only_when_asked_for(finished: Toy) -> None:
    Path("evil.py").write_text("open('canary', 'w').close()\n")
    changed = ("plugins: {}", "plugins: {evil.py: ''}"), ("plan: null", "plan: toy_binary")
    copy_run("evil", *changed)
    note = entries()["evil", "run"].note
    assert note == "not scored: it needs evil.py, which `--plugins` runs"
    assert not Path("canary").exists()
    (group,) = read_board(plugins=True)
    assert {entry.note for entry in group.entries} == {""}
    assert Path("canary").exists()


def test_an_empty_workspace_has_nothing_to_show(workspace: Path) -> None:
    with pytest.raises(UsageError, match="nothing to show: no finished fold in runs/, nothing in"):
        read_board(workspace)


def test_the_labels_of_a_plan_come_back_with_what_nobody_said() -> None:
    plan = SimpleNamespace(classes=("a", "b=?", "b"), labels=("a|b=?", "b|a=?", "b=?=?", ""))
    found = board._target(plan, 2)  # type: ignore[arg-type]
    assert found.tolist() == [[1, 1, 0], [-1, 0, 1], [0, -1, 0], [0, 0, 0]]
