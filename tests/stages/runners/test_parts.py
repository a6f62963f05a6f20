"""Commands whose pieces others do: the files are those of one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.config.loading import make_config
from comp.core.errors import CompError, UsageError
from comp.stages.check import check, record
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.features.embed import embed
from comp.stages.pack import pack
from comp.stages.predict import open_predictor
from comp.stages.runners import parts, table
from comp.stages.runners.order import Order, error_of, train_piece
from comp.stages.runners.parts import check_on, embed_on, pack_on, predict_on
from comp.stages.runners.where import Where
from comp.stages.search.sweep import sweep

Made = Callable[..., dict[str, Any]]
THERE = Where("devices", "cpu")
HERE = Where()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The pieces that are sent; they are done in this process, from what a pipe would carry."""
    done: list[tuple[str, int]] = []

    def send(slots: Any, order: Order, pieces: Sequence[int], stop: Any) -> list[Any]:
        failed: list[tuple[int, CompError]] = []
        for piece in pieces:
            told = Order(**json.loads(json.dumps(order.plain())))
            problem = error_of(json.loads(json.dumps(train_piece(told, piece, stop.left))))
            done.append((order.work, piece))
            failed += [(piece, problem)] if problem else []
        return failed

    monkeypatch.setattr(table, "train_on_devices", send)
    return done


def opened(made: dict[str, Any]) -> Experiment:
    return open_experiment(make_config(made))


def kept(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_predictions_from_elsewhere_are_those_of_here(
    finished: Made, sent: list[tuple[str, int]]
) -> None:
    experiment = opened(finished())
    run = experiment.workspace.fold(0)
    folds = list(range(experiment.config.folds.parts))
    assert predict_on(HERE, open_predictor(experiment), folds) == []
    here = kept(run.valid), kept(run.test)
    for folder in (run.valid, run.test):
        (folder / "probs.npy").unlink()
    again = predict_on(THERE, open_predictor(experiment), folds)
    assert again == [run.valid, run.test]
    assert (kept(run.valid), kept(run.test)) == here
    assert sent == [("predict", 0)]
    assert predict_on(THERE, open_predictor(experiment), folds) == []
    assert sent == [("predict", 0)]


def test_a_check_finds_what_others_measured(
    finished: Made, sent: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = opened(finished())
    known = {"accept_groups": False, "skip": False, "allow_extra_images": False}
    alone = record(check(experiment, **known))
    blocks = kept(experiment.workspace.cache / "check")
    for path in (experiment.workspace.cache / "check").glob("*.npz"):
        path.unlink()
    monkeypatch.setattr(parts, "PIECES", 2)
    found = check_on(THERE, experiment)
    assert record(found) == alone
    assert {*kept(experiment.workspace.cache / "check")} == {*blocks}
    assert sent == [("check", 0), ("check", 1)]


def test_packs_of_others_are_joined_to_those_of_here(
    planned: Made,
    sent: list[tuple[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    experiment = opened(planned())
    here = [kept(part.folder) for part in pack(experiment) if part.folder is not None]
    experiment.workspace.cache.rename(tmp_path / "before")
    monkeypatch.setattr(parts, "PIECES", 5)
    there = pack_on(THERE, experiment)
    assert [kept(part.folder) for part in there if part.folder is not None] == here != []
    assert len(list(experiment.workspace.cache.glob("*/manifest.json"))) == len(there)
    assert sent == [("pack", part) for part in range(5)]


def test_features_are_made_a_part_and_a_view_at_a_time(
    planned: Made, sent: list[tuple[str, int]]
) -> None:
    experiment = opened(planned())
    there = embed_on(THERE, experiment, "hflip")
    assert sent == [("embed", part) for part in range(4)]
    assert [(part.part, part.view, part.file) for part in there] == [
        (part.part, part.view, part.file) for part in embed(experiment, tta="hflip")
    ]


def test_a_sweep_is_trained_elsewhere_and_what_fails_is_noted(
    planned: Made, sent: list[tuple[str, int]]
) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(planned()))
    runs = [{"train.lr": 0.01}, {"train.lr": 0.02}, {"model.weights": "none.pt"}]
    Path("some.yaml").write_text(yaml.safe_dump({"config": "toy.yaml", "runs": runs}))
    result = sweep(Path("some.yaml"), [], where=THERE)
    assert sent == [("sweep", 0), ("sweep", 1), ("sweep", 2)]
    assert sorted(run.settings["train.lr"] for run in result.runs[:2]) == [0.01, 0.02]
    assert all(run.score is not None for run in result.runs[:2])
    assert result.runs[2].score is None
    assert "none.pt" in result.runs[2].note
    again = sweep(Path("some.yaml"), [])
    assert [run.score for run in again.runs] == [run.score for run in result.runs]


def test_a_search_is_not_sent_away(planned: Made) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(planned()))
    space = {"trials": 2, "space": {"train.lr": [0.1, 0.2]}}
    Path("some.yaml").write_text(yaml.safe_dump({"config": "toy.yaml", "search": space}))
    with pytest.raises(UsageError, match="one after the other; --devices and --on are for a grid"):
        sweep(Path("some.yaml"), [], where=THERE)


def test_only_training_goes_together(planned: Made) -> None:
    with pytest.raises(UsageError, match="--together is for `comp train`"):
        pack_on(Where("together", "cpu,cpu"), opened(planned()))
