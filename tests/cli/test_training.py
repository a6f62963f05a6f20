"""`comp train`, `status`, `predict`, `find` and `sweep` as they are typed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from comp.core.errors import Interrupted

Run = Callable[..., tuple[int, str, str]]
FOLD = Path("runs/toy_binary/fold_0")


@pytest.fixture
def config(finished: Callable[..., dict[str, Any]]) -> str:
    Path("toy.yaml").write_text(yaml.safe_dump(finished()))
    return "toy.yaml"


def test_the_next_command_trains_the_folds_that_are_left(comp: Run, config: str) -> None:
    code, out, err = comp("train", "-c", config, "--json")
    assert (code, [fold["before"] for fold in json.loads(out)]) == (0, [True, True])
    assert err.splitlines()[-1] == "next: comp ensemble -c toy.yaml"
    shutil.rmtree("runs/toy_binary/fold_1")
    _, _, err = comp("train", "-c", config, "-f", "0", "--max-hours", "5")
    assert err.splitlines()[-1] == (
        "next: comp train -c toy.yaml --set train.max_hours=5.0 --fold 1"
    )


def test_an_interrupted_training_says_what_is_left(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise Interrupted("SIGINT: stopped fold 0", 2)

    monkeypatch.setattr("comp.stages.runners.table.train", interrupted)
    (FOLD / "done.json").unlink()
    code, _, err = comp("train", "-c", config)
    assert code == 130
    assert "left: fold 0 from epoch 3 step 0 of 2 epochs" in err
    assert "next: comp train --fold 0 -c toy.yaml" in err


def test_a_subset_and_a_restart_reach_the_training_and_name_no_next_command(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def train(experiment: Any, fold: str, *, restart: bool, **_: Any) -> list[Any]:
        asked.append((experiment.config.train.subset, fold, restart))
        return []

    monkeypatch.setattr("comp.stages.runners.table.train", train)
    code, _, err = comp("train", "-c", config, "-f", "1", "--subset", "8", "--restart")
    assert (code, asked, "next:" in err) == (0, [(8, "1", True)], False)


def test_status_prints_folds_or_json(comp: Run, config: str) -> None:
    code, out, err = comp("status", "-c", config)
    assert (code, err) == (0, "done: the submission is written\n")
    assert "fold 1  done" in out
    assert json.loads(comp("status", "-c", config, "--json")[1])["current"] is True


def test_predict_prints_the_folders_that_it_wrote(comp: Run, config: str) -> None:
    code, out, err = comp("predict", "-c", config)
    assert (code, out) == (0, "")
    assert "nothing to do: these predictions exist already" in err
    code, out, err = comp("predict", "-c", config, "-f", "0", "--tta", "hflip")
    assert (code, out.split()) == (0, [str(FOLD / "valid"), str(FOLD / "test")])
    assert err.splitlines()[-1] == "next: comp ensemble -c toy.yaml --set predict.tta=hflip"


def test_predict_shows_how_views_were_chosen(comp: Run, config: str) -> None:
    code, out, _ = comp("predict", "-c", config, "--tta", "auto", "-q")
    assert (code, out.splitlines()[0].split(":")[0]) == (0, "macro_f1 out of fold, by view; the i"
                                                           "mage as it is")  # fmt: skip
    assert "chosen: id" in out


def test_a_learning_rate_is_printed_with_the_command_that_uses_it(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(suggestion=0.00321, picture=Path("lr.png"))
    asked: list[Any] = []
    monkeypatch.setattr(
        "comp.stages.search.find.find_rate", lambda _, *given: asked.append(given) or found
    )
    code, out, err = comp("find", "lr", "-c", config, "-f", "1", "--steps", "20")
    assert (code, out, asked) == (0, "3.2e-03\n", [(1, 20)])
    assert err.splitlines()[-1] == "next: comp train -c toy.yaml --set train.lr=3.2e-03"
    assert "see lr.png" in err


@pytest.mark.parametrize(
    ("limited", "words"), [(True, "all fit up to 8"), (False, "the largest that fits is 8")]
)
def test_batch_sizes_are_a_line_each(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch, limited: bool, words: str
) -> None:
    trials = [SimpleNamespace(size=4, speed=100.0, memory=None, loop=90.0),
              SimpleNamespace(size=8, speed=150.25, memory=64, loop=None)]  # fmt: skip
    found = SimpleNamespace(
        trials=trials, limited=limited, largest=8, fastest=8, picture=Path("batch.png")
    )
    monkeypatch.setattr("comp.stages.search.find.find_batch", lambda *_: found)
    code, out, err = comp("find", "batch", "-c", config)
    assert code == 0
    assert out.splitlines() == [
        "batch   training     device  images/s",
        "    4       90.0      100.0",
        "    8          -      150.2  64 MiB",
    ]
    first, *rest = err.splitlines()
    assert first == f"{words}, the fastest is 8; see batch.png"
    more = "a larger train.batch_size trains with --set train.micro_batch=8"
    assert rest == ([] if limited else [more])


def test_a_sweep_is_given_its_file_and_values(
    comp: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def sweep(file: Path, sets: list[str], where: Any) -> Any:
        asked.append((file, sets, where.devices))
        return SimpleNamespace(runs=[], metric="macro_f1", table=Path("sweeps/s.csv"))

    monkeypatch.setattr("comp.stages.search.sweep.sweep", sweep)
    code, _, err = comp("sweep", "s.yaml", "--set", "seed=7", "--devices", "cpu,cpu")
    assert (code, err) == (0, "wrote sweeps/s.csv\n")
    assert asked == [(Path("s.yaml"), ["seed=7"], "cpu,cpu")]


@pytest.mark.parametrize(
    ("problem", "expected"), [(KeyboardInterrupt(), 130), (Interrupted("terminated", 15), 143)]
)
def test_pseudo_labels_that_were_interrupted_are_not_there(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch, problem: BaseException, expected: int
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr("comp.stages.extras.pseudo._fold", interrupted)
    code, _, err = comp("pseudo", "-c", config)
    assert code == expected
    assert "stopped before pseudo/toy_binary was written" in err
    assert "begins with the first fold again" in err
    assert not Path("pseudo/toy_binary/manifest.json").exists()
