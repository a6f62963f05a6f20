"""`train.clean`: doubts of a probe that was fitted without the row and the validation part. They
are dropped, softened or changed in the training part alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comp.config.loading import make_config
from comp.config.sources import CleanConfig
from comp.core import checksums
from comp.core.errors import ConfigError, RunError
from comp.data.index.index import Index
from comp.ensemble.label_issues import LabelIssue
from comp.inference.predictions import Predictions
from comp.stages.experiment import check_names, open_experiment
from comp.stages.extras.clean import _changed
from comp.stages.train import open_job, train
from comp.tasks.kinds import TASKS
from comp.train.probes.fold import train_probe

Toy = Callable[..., dict[str, Any]]


def probe(toy: Toy, **over: Any) -> Any:
    tree = {"name": "p", "folds__plan": "toy_binary", "model__probe": "logistic", **over}
    return open_experiment(make_config(toy(**tree)))


def cleaning(toy: Toy, name: str = "clean", **clean: Any) -> Any:
    wanted = {"run": "p", "most": 0.5, **clean}
    over = {"name": name, "folds__plan": "toy_binary", "train__clean": wanted}
    return open_experiment(make_config(toy(**over)))


@pytest.fixture
def doubted(planned: Toy) -> tuple[Toy, list[str]]:
    """A toy with a fitted probe that says the opposite of two labels of fold 0's training part."""
    train(probe(planned), "0")
    folder = Path("runs/p/fold_0")
    said = Predictions.load(folder / "inner")
    labels = pd.read_csv("input/train.csv", dtype=str).set_index("id")["label"]
    truth = np.array([float(labels[name]) for name in said.ids])[:, None]
    probs = 0.1 + 0.8 * truth
    probs[:2] = [[0.98], [0.95]] - np.array([[0.96], [0.9]]) * truth[:2]
    names = [said.ids[0], said.ids[1]]
    replace(said, probs=probs.astype(np.float32)).save(folder / "inner")
    return planned, names


def test_a_probe_answers_for_its_training_part_and_no_validation_image(planned: Toy) -> None:
    train(probe(planned), "0")
    said = Predictions.load(Path("runs/p/fold_0/inner"))
    plan = pd.read_csv("folds/toy_binary.csv", dtype=str).set_index("id")["fold"]
    assert len(said.ids) == 12
    assert {plan[name] for name in said.ids} == {"1"}
    best = Path("runs/p/fold_0/best.pt")
    assert said.source["checkpoint_sha256"] == checksums.digest_file(best)


def test_an_inner_answer_is_of_a_probe_that_was_fitted_without_the_row(planned: Toy) -> None:
    """Where each row has a feature of its own, a probe that has not seen a row knows nothing."""
    experiment = probe(planned, model__probe=None, name="net")
    job = replace(open_job(experiment, 0), config=probe(planned).config)
    parts = np.arange(len(job.train_rows)) % 3
    found = []
    features = np.eye(len(job.target), dtype=np.float32)
    train_probe(job, features, parts, "w", lambda *kept: found.append(kept))
    ((rows, probs, digest),) = found
    assert sorted(rows.tolist()) == sorted(job.train_rows.tolist())
    assert digest == checksums.digest_file(job.run.best)
    own = parts[np.searchsorted(job.train_rows, rows)]
    for part in range(3):
        assert np.ptp(probs[own == part]) < 1e-6, "all rows of a part get the same answer"


def test_doubted_images_are_left_out_of_training_alone(
    doubted: tuple[Toy, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    toy, names = doubted
    job = open_job(cleaning(toy), 0)
    index_ids = pd.read_csv("input/train.csv", dtype=str)["id"].tolist()
    kept = {sorted(index_ids)[row] for row in job.train_rows}
    assert len(job.train_rows) == 10
    assert len(job.valid_rows) == 12
    assert not kept & set(names)
    assert job.soft is None
    assert "p doubts 2 of 12 training labels surely: left out" in capsys.readouterr().err
    table = pd.read_csv("runs/clean/fold_0/cleaned.csv", dtype=str)
    assert table["id"].tolist() == names
    assert (table["given"] != table["likely"]).all()


def test_doubted_labels_are_changed_and_no_others(doubted: tuple[Toy, list[str]]) -> None:
    toy, _ = doubted
    for how, wanted in (("relabel", [1.0, 1.0]), ("soften", [0.25 * 0.98, 0.25 * 0.95])):
        job = open_job(cleaning(toy, how, how=how, weight=0.25), 0)
        assert len(job.train_rows) == 12
        assert job.soft is not None
        moved = np.abs(job.soft[:, 0] - job.target)
        assert sorted(moved[moved > 0].tolist()) == pytest.approx(sorted(wanted))
        assert (moved[job.valid_rows] == 0).all()


def test_at_most_a_share_is_changed_the_most_doubted_first(
    doubted: tuple[Toy, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    toy, names = doubted
    job = open_job(cleaning(toy, most=0.1), 0)  # one of twelve
    assert len(job.train_rows) == 11
    assert "; 1 more are over train.clean.most" in capsys.readouterr().err
    assert pd.read_csv("runs/clean/fold_0/cleaned.csv", dtype=str)["id"].tolist() == names[:1]


def test_a_finished_fold_is_not_taken_for_one_with_other_doubts(
    doubted: tuple[Toy, list[str]],
) -> None:
    toy, _ = doubted
    train(cleaning(toy), "0")
    assert train(cleaning(toy), "0")[0].before
    folder = Path("runs/p/fold_0/inner")
    said = Predictions.load(folder)
    replace(said, probs=np.roll(np.asarray(said.probs), 1, axis=0)).save(folder)
    with pytest.raises(RunError, match="other extra images, pseudo-labels or doubts"):
        train(cleaning(toy), "0")


def test_what_cannot_doubt_is_refused(doubted: tuple[Toy, list[str]]) -> None:
    toy, _ = doubted
    with pytest.raises(RunError, match="'clean' is this run"):
        open_job(cleaning(toy, run="clean"), 0)
    with pytest.raises(RunError, match="'p': fold 1 is not trained to its end"):
        open_job(cleaning(toy), 1)
    folder = Path("runs/p/fold_0")
    said = Predictions.load(folder / "inner")
    other = {**said.source, "checkpoint_sha256": "0" * 64}
    replace(said, source=other).save(folder / "inner")
    with pytest.raises(RunError, match="belongs to another fit of fold 0"):
        open_job(cleaning(toy), 0)
    plan = pd.read_csv("folds/toy_binary.csv", dtype=str)
    leak = plan["id"][plan["fold"] == "0"].iloc[0]
    ids = (leak, *said.ids[1:])
    replace(said, ids=ids).save(folder / "inner")
    with pytest.raises(RunError, match="holds validation images of fold 0"):
        open_job(cleaning(toy), 0)
    (folder / "inner/probs.npy").unlink()
    with pytest.raises(RunError, match=r"no answers for its training part .*train --restart"):
        open_job(cleaning(toy), 0)


def test_a_network_cannot_doubt(finished: Toy) -> None:
    with pytest.raises(RunError, match="'toy_binary': is no probe"):
        open_job(cleaning(finished, run="toy_binary"), 0)
    with pytest.raises(ConfigError, match=r"train\.clean: not with model\.probe"):
        check_names(
            open_experiment(
                make_config(
                    finished(name="x", model__probe="logistic", train__clean={"run": "toy_binary"})
                )
            )
        )


def test_of_several_labels_only_the_doubted_cell_becomes_unknown() -> None:
    labels = np.array([[1, 0], [0, 1], [1, 1]])
    index = Index(("a", "b", "c"), (Path(),) * 3, ("x", "y"), labels)
    rows, probs = np.array([0, 2]), np.array([[0.9, 0.1], [0.1, 0.9]])
    issues = [LabelIssue(1, "c", "x", "1", "0", -0.8, True)]
    task = TASKS["multilabel"]
    for how, value in (("drop", -1.0), ("relabel", 0.0), ("soften", 0.55)):
        wanted = CleanConfig.model_validate({"run": "p", "how": how})
        dropped, cells, targets = _changed(wanted, task, index, issues, rows, probs)
        assert dropped.tolist() == []
        assert cells.tolist() == [[2, 0]]
        assert targets.tolist() == pytest.approx([value])


def test_one_of_several_classes_is_mixed_as_a_whole_row() -> None:
    index = Index(("a", "b"), (Path(),) * 2, ("x", "y", "z"), np.array([0, 2]))
    probs = np.array([[0.1, 0.2, 0.7]])
    issues = [LabelIssue(0, "b", "", "z", "x", -0.8, True)]
    wanted = CleanConfig.model_validate({"run": "p", "how": "soften", "weight": 0.5})
    found = _changed(wanted, TASKS["multiclass"], index, issues, np.array([1]), probs)
    assert found[1].tolist() == [[1, 0], [1, 1], [1, 2]]
    assert found[2].tolist() == pytest.approx([0.05, 0.1, 0.85])
