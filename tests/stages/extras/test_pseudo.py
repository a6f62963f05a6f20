"""Fold k gets the answers of fold k for images without labels, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extra_toys import lay_unlabelled

from comp.config.loading import make_config
from comp.core.errors import ConfigError, DataError, RunError, UsageError
from comp.inference.predictions import Predictions
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.extras.pseudo import Pseudo, make_pseudo
from comp.stages.extras.pseudo_files import Choice

Toy = Callable[..., dict[str, Any]]


def opened(tree: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(tree))


def make(toy: Toy, *runs: str, name: str = "p", **over: Any) -> Pseudo:
    return make_pseudo(opened(toy()), runs or ("toy_binary",), name, **over)


def answers(name: str, fold: int) -> Predictions:
    about = json.loads(Path(f"pseudo/{name}/manifest.json").read_text())
    return Predictions.load(Path(f"pseudo/{name}/{about['answers']}/fold_{fold}"))


def test_each_fold_is_taught_by_the_same_fold(finished: Toy) -> None:
    made = make(finished)
    assert [(fold.images, fold.kept, fold.copies) for fold in made.folds] == [(6, 6, 0)] * 2
    for fold in range(2):
        own = Predictions.load(Path(f"runs/toy_binary/fold_{fold}/test"))
        found = answers("p", fold)
        assert found.ids == own.ids
        assert (np.asarray(found.probs) == np.asarray(own.probs)).all()
        assert (found.source["fold"], found.source["plan"]) == (fold, own.source["plan"])


def test_answers_for_a_folder_are_those_of_the_fold_too(finished: Toy) -> None:
    shutil.copytree("input/test", "wild")
    make(finished, images=Path("wild"))
    own, found = Predictions.load(Path("runs/toy_binary/fold_1/test")), answers("p", 1)
    assert found.ids == tuple(f"{name}.png" for name in own.ids)
    assert np.asarray(found.probs) == pytest.approx(np.asarray(own.probs), abs=1e-6)


def test_several_runs_are_averaged(finished: Toy) -> None:
    shutil.copytree("runs/toy_binary", "runs/twin")
    make(finished, "toy_binary", "twin")
    own = Predictions.load(Path("runs/toy_binary/fold_0/test"))
    assert np.asarray(answers("p", 0).probs) == pytest.approx(np.asarray(own.probs), abs=1e-7)
    assert {*answers("p", 0).source["members"]} == {"toy_binary", "twin"}


def test_copies_of_validation_images_stay_out_of_their_fold(finished: Toy) -> None:
    lay_unlabelled(4)
    plan = dict(
        line.split(",")[:2] for line in Path("folds/toy_binary.csv").read_text().splitlines()
    )
    shutil.copy("input/train/00005.png", "wild/u1.png")
    made = make(finished, images=Path("wild"))
    fold = int(plan["00005"])
    assert [f.copies for f in made.folds] == [int(n == fold) for n in range(2)]
    assert "u1.png" not in answers("p", fold).ids
    assert "u1.png" in answers("p", 1 - fold).ids


def test_the_most_confident_are_kept(finished: Toy) -> None:
    probs = np.asarray(Predictions.load(Path("runs/toy_binary/fold_0/test")).probs)[:, 0]
    sure = np.maximum(probs, 1 - probs)
    make(finished, name="half", choice=Choice(keep=0.5))
    kept = {f"t{row:03d}" for row in np.argsort(-sure)[:3]}
    assert {*answers("half", 0).ids} == kept
    with pytest.raises(UsageError, match="no image is confident enough; the most confident has"):
        make(finished, name="none", choice=Choice(above=0.9999999))


def test_what_is_there_stays_until_the_new_one_is_whole(finished: Toy) -> None:
    make(finished)
    before = np.asarray(answers("p", 0).probs).copy()
    with pytest.raises(UsageError, match="is there already; give another --name, or use --repl"):
        make(finished)
    with pytest.raises(UsageError, match="confident enough"):
        make(finished, choice=Choice(above=0.9999999), replace=True)
    assert (np.asarray(answers("p", 0).probs) == before).all()
    make(finished, choice=Choice(keep=0.5), replace=True)
    assert len(answers("p", 0).ids) == 3
    assert len([*Path("pseudo/p").glob("answers_*")]) == 1


def test_a_run_that_has_seen_validation_images_cannot_teach(finished: Toy) -> None:
    done = Path("runs/toy_binary/fold_1/done.json")
    own = done.read_text()
    done.write_text(json.dumps({**json.loads(own), "plan": "f" * 64}))
    with pytest.raises(RunError, match="was trained with plan ffffffff, .*Only a run with"):
        make(finished)
    done.unlink()
    with pytest.raises(RunError, match="fold 1 is not trained to its end"):
        make(finished)


def test_what_cannot_be_answered_is_refused(
    finished: Toy, toy: Callable[..., dict[str, Any]]
) -> None:
    Path("empty").mkdir()
    with pytest.raises(DataError, match="no images in it or below"):
        make(finished, images=Path("empty"))
    with pytest.raises(ConfigError, match="empty: data.boxes say nothing of the images there"):
        tree = finished(data={**finished()["data"], "boxes": "b.csv"})
        make_pseudo(opened(tree), ("toy_binary",), "p", images=Path("empty"))
    with pytest.raises(DataError, match="no such folder"):
        make(finished, images=Path("nowhere"))
    with pytest.raises(ConfigError, match="task segmentation answers per pixel"):
        make_pseudo(opened(toy("segmentation")), ("x",), "p")


def test_a_run_of_another_task_cannot_teach(finished: Toy) -> None:
    for path in Path("runs/toy_binary").glob("fold_*/config.yaml"):
        path.write_text(path.read_text().replace("task: binary", "task: multiclass"))
    own = opened(finished(name="student", folds__plan="toy_binary"))
    with pytest.raises(RunError, match="'toy_binary': is of task multiclass, this run is of"):
        make_pseudo(own, ("toy_binary",), "p")
