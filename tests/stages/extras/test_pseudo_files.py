"""Pseudo-labels on the disk: what a fold learns from them, and which are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comp.config.loading import make_config
from comp.core.errors import RunError, UsageError
from comp.stages.experiment import open_experiment, read_plan, read_train
from comp.stages.extras.pseudo import make_pseudo
from comp.stages.extras.pseudo_files import (
    Choice,
    Learned,
    confidence,
    make_choice,
    read_pseudo,
    targets,
)
from comp.tasks.kinds import TASKS

Toy = Callable[..., dict[str, Any]]


@pytest.fixture
def made(finished: Toy) -> Callable[..., Learned]:
    """`made(0)` reads what fold 0 learns from the pseudo-labels `p`, which are there."""
    experiment = open_experiment(make_config(finished()))
    make_pseudo(experiment, ("toy_binary",), "p", images=_wild())

    def read(fold: int = 0, name: str = "p") -> Learned:
        index = read_train(experiment)
        return read_pseudo(experiment, name, index, read_plan(experiment, index), fold)

    return read


def _wild() -> Path:
    shutil.copytree("input/test", "wild")
    return Path("wild")


def answers() -> Path:
    return Path("pseudo/p", json.loads(Path("pseudo/p/manifest.json").read_text())["answers"])


def test_a_fold_learns_the_answers_that_were_made_for_it(made: Callable[..., Learned]) -> None:
    first, second = made(0), made(1)
    assert first.index.ids == tuple(f"t{row:03d}.png" for row in range(6))
    assert first.rows.tolist() == [*range(6)]
    assert (first.target.shape, first.target.dtype) == ((6, 1), np.float32)
    assert first.digest != second.digest
    assert (first.target != second.target).any()


def test_a_planted_leak_is_refused(made: Callable[..., Learned]) -> None:
    """The answers of fold 1, whose model was trained on the validation part of fold 0."""
    shutil.rmtree(answers() / "fold_0")
    shutil.copytree(answers() / "fold_1", answers() / "fold_0")
    with pytest.raises(RunError, match=r"not the answers that were made for fold 0 \(they say fo"):
        made(0)
    about = json.loads((answers() / "fold_0/manifest.json").read_text())
    about["source"]["fold"] = 0  # and lies about it
    (answers() / "fold_0/manifest.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="not the answers that were made for fold 0"):
        made(0)
    assert len(made(1).rows) == 6


def test_answers_for_other_images_or_of_another_plan_are_refused(
    made: Callable[..., Learned],
) -> None:
    shutil.copy("input/train/00003.png", "wild/t001.png")
    with pytest.raises(RunError, match="of other images than are there now"):
        made()
    path = Path("pseudo/p/manifest.json")
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "plan": "f" * 64}))
    with pytest.raises(RunError, match="made for plan ffffffff, the plan is now"):
        made()
    path.write_text(json.dumps({**about, "classes": ["a", "b"]}))
    with pytest.raises(RunError, match="its classes are 'a', 'b', here '0', '1'"):
        made()
    path.write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(RunError, match="of another version"):
        made()
    with pytest.raises(RunError, match="no pseudo-labels 'q' in pseudo; there are: 'p'"):
        made(name="q")


def test_soft_and_hard_targets() -> None:
    probs = np.array([[0.2, 0.7, 0.1], [0.4, 0.3, 0.3]], np.float32)
    multiclass, multilabel = TASKS["multiclass"], TASKS["multilabel"]
    assert targets(probs, multiclass, Choice()).tolist() == probs.tolist()
    assert targets(probs, multiclass, Choice("hard")).tolist() == [1, 0]
    assert targets(probs, multilabel, Choice("hard", 0.7)).tolist() == [[0, 1, 0], [-1, 0, 0]]
    assert confidence(probs, multiclass) == pytest.approx([0.7, 0.4])
    assert confidence(probs, multilabel) == pytest.approx([0.8, 2 / 3])
    assert confidence(probs[:, :1], TASKS["binary"]) == pytest.approx([0.8, 0.6])


def test_choices_that_cannot_be_are_refused() -> None:
    assert make_choice("hard", 0.9, None) == Choice("hard", 0.9, None)
    with pytest.raises(UsageError, match="'hrd' is none of soft, hard"):
        make_choice("hrd", None, None)
    with pytest.raises(UsageError, match=r"above: 1\.0 is no confidence"):
        make_choice("soft", 1.0, None)
    with pytest.raises(UsageError, match="keep: 0 is no share"):
        make_choice("soft", None, 0)
