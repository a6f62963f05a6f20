"""What is read of a run: its curves, its answers, what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from comp.config.loading import make_config
from comp.core.errors import RunError
from comp.ensemble.compare import judge_row
from comp.ensemble.evidence import Fitting
from comp.ensemble.table_evidence import TableEvidence
from comp.ensemble.votes import VOTES
from comp.inference.predictions import Predictions
from comp.report.run.page import write_run_page
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.reporting import opened as stage
from comp.stages.reporting.opened import answers_of, open_run, read_curves, seconds_of
from comp.stages.reporting.report import facts_of
from comp.tasks.kinds import TASKS
from comp.tasks.metrics import METRICS

Finished = Callable[..., dict[str, Any]]


def experiment_of(finished: Finished, **over: Any) -> Experiment:
    return open_experiment(make_config(finished(**over)))


def test_the_answers_of_each_image_are_of_the_model_that_did_not_see_it(
    finished: Finished,
) -> None:
    opened = open_run(experiment_of(finished))
    found = answers_of(opened)
    assert list(found.ids) == sorted(found.ids)
    assert found.target.tolist() == [row % 2 for row in range(24)]
    for number in (0, 1):
        saved = Predictions.load(Path(f"runs/toy_binary/fold_{number}/valid"))
        place = {name: row for row, name in enumerate(found.ids)}
        rows = [place[name] for name in saved.ids]
        assert found.fold[rows].tolist() == [number] * len(rows)
        assert found.probs[rows].tolist() == np.asarray(saved.probs).tolist()
    assert opened.notes == ()


def test_a_rule_that_is_dropped_is_in_no_table_and_the_page_says_so(
    finished: Finished, tmp_path: Path
) -> None:
    """The honest score also counts the choice; all else is of the untuned answers that are sent."""
    opened = open_run(experiment_of(finished))
    target, probs, fold = noise()
    one = replace(opened.evidence, target=target, probs=(probs,), fold=fold)
    row = judge_row(one, VOTES["soft"], "equal", Fitting(True, 0), keep=True)
    found = answers_of(replace(opened, evidence=one, row=row))
    assert row.note.startswith("thresholds not used")
    plain = (probs[:, 0] >= 0.5).astype(int)
    assert found.labels.tolist() == plain.tolist() != found.honest.tolist()
    assert not found.kept
    shown = write_run_page(tmp_path / "page.html", facts_of(opened.experiment, opened), found)
    rights = [int(((plain == k) & (target == k)).sum()) for k in (0, 1)]
    given = [int((plain == k).sum()) for k in (0, 1)]
    assert [row.given for row in shown.classes] == given
    assert [row.threshold for row in shown.classes] == [0.5, 0.5]
    assert [row.precision for row in shown.classes] == pytest.approx(np.divide(rights, given))
    taken = {(pair.truth, pair.said): pair for pair in shown.pairs}
    for (truth, said), pair in taken.items():
        wrong = np.flatnonzero((target == truth) & (plain == said))
        assert pair.count == len(wrong)
        assert {*pair.rows} <= {*wrong.tolist()}
    for number, part in enumerate(shown.slices):
        here = found.fold == number
        assert part.score == pytest.approx(f1_score(target[here], plain[here], average="macro"))
    assert not any("tuned rule gains" in hint for hint in shown.hints)
    score = f1_score(target, plain, average="macro")
    assert f"without a tuned rule: they score {score:.4f}" in shown.sentences[1]
    assert f"The score of the run, {row.scores.honest:.4f}, counts the choice" in shown.sentences[1]


def noise() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """24 labels that have nothing to do with their probabilities, in the folds of the toy; a
    threshold gains nothing, but three of the folds think otherwise of it."""
    for seed in range(40):
        draw = np.random.default_rng(seed)
        target, probs = draw.integers(2, size=24), draw.random((24, 1))
        fold = np.arange(24) % 2
        one = TableEvidence(TASKS["binary"], METRICS["macro_f1"], target, fold, (probs,), 2)
        found = one.cross_fit(VOTES["soft"], "equal", Fitting(True, 0))
        if found.note and (found.honest != found.sent).any():
            return target, probs, fold
    raise AssertionError("no such case")


def test_a_run_on_some_of_its_images_has_the_scores_of_these(finished: Finished) -> None:
    opened = open_run(experiment_of(finished))
    whole = answers_of(opened)
    ids = list(whole.ids)[3:17]
    part = answers_of(opened.on(ids))
    assert list(part.ids) == ids
    assert part.probs.tolist() == whole.probs[3:17].tolist()
    assert part.fold.tolist() == whole.fold[3:17].tolist()
    plain = f1_score(part.target, (part.probs[:, 0] >= 0.5).astype(int), average="macro")
    assert part.scores.honest == pytest.approx(plain)


def test_the_curves_are_those_of_the_histories(finished: Finished) -> None:
    experiment = experiment_of(finished)
    first, second = read_curves(experiment, 2)
    assert (first.fold, second.fold) == (0, 1)
    assert first.epochs.tolist() == [1, 2]
    assert first.best == first.columns["macro_f1"][first.best_epoch - 1]
    assert first.planned == 2
    assert first.seconds is not None
    Path("runs/toy_binary/fold_1/history.csv").write_text("epoch\nnothing\n")
    assert [curve.fold for curve in read_curves(experiment, 3)] == [0]


def test_validation_predictions_that_are_missing_are_made_and_test_images_left_alone(
    finished: Finished,
) -> None:
    experiment = experiment_of(finished)
    before = answers_of(open_run(experiment)).probs
    for number in (0, 1):
        shutil.rmtree(f"runs/toy_binary/fold_{number}/valid")
        shutil.rmtree(f"runs/toy_binary/fold_{number}/test")
    assert answers_of(open_run(experiment)).probs.tolist() == before.tolist()
    assert not Path("runs/toy_binary/fold_0/test").exists()


def test_folds_that_are_not_finished_are_left_out_and_told(finished: Finished) -> None:
    experiment = experiment_of(finished)
    Path("runs/toy_binary/fold_1/done.json").unlink()
    opened = open_run(experiment)
    found = answers_of(opened)
    assert len(found) == 12
    assert opened.notes == ("Folds 1 are not finished; they are in no figure.",)
    Path("runs/toy_binary/fold_0/done.json").unlink()
    with pytest.raises(RunError, match="no fold is trained to its end. Run `comp train` first"):
        open_run(experiment)


def test_a_rule_of_very_many_cells_is_not_tuned_and_that_is_told(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(finished, ensemble__tune=True)
    assert open_run(experiment).notes == ()
    monkeypatch.setattr(stage, "MOST_TUNED", 10)
    (note,) = open_run(experiment).notes
    assert note.startswith("The rule is not tuned here, since 1 classes of 24 images take long")


def test_the_time_of_a_fold_is_that_of_all_its_epochs(finished: Finished) -> None:
    run = experiment_of(finished).workspace.fold(0)
    run.log.write_text("fold 0  epoch 1/2  loss 1.0  12.5 s\nfold 0  epoch 2/2  loss 0.5  7.5 s\n")
    assert seconds_of(run) == 20
    run.log.unlink()
    assert seconds_of(run) is None
