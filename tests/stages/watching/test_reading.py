"""What is read of a run, whatever lies there, without a trace."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import dump_config, make_config
from comp.core import files, locks
from comp.core.errors import Interrupted
from comp.report.live.rows import LiveFold
from comp.stages.experiment import open_experiment
from comp.stages.train import train
from comp.stages.watching import reading
from comp.stages.watching.reading import RunReader, plain
from comp.train import loop
from comp.train.live import pulse
from comp.train.live.beat import Beat, write_beat

Toy = Callable[..., dict[str, Any]]
FOLD = Path("runs/toy_binary/fold_0")
BEAT = Beat("fold 0", "training", 1, 4, 1, 2, loss=0.5, speed=9.0, left=5.0, memory=10**9)


def states(reader: RunReader) -> list[tuple[str, str, int, int]]:
    return [(fold.name, fold.state, fold.epochs, fold.of) for fold in reader.read().folds]


def tree() -> dict[str, tuple[float, int]]:
    found = {}
    for place, folders, names in os.walk("."):
        for name in (*folders, *names):
            state = Path(place, name).stat()
            found[f"{place}/{name}"] = (state.st_mtime_ns, state.st_size)
    return found


def begun(config: Any, updates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold 0 is stopped by a signal after so many updates, with a beat at each."""
    real, calls = loop.update, iter(range(10**6))

    def update(job: Any, *rest: Any) -> None:
        real(job, *rest)
        if next(calls) == updates - 1:
            job.stop.signal = 2

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(pulse, "FILE_SECONDS", 0.0)
        patch.setattr(loop, "update", update)
        train(open_experiment(config), "0")


def test_before_during_and_after_a_training(planned: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(planned())
    reader = RunReader(Path(), "toy_binary", config)
    assert [state for _, state, *_ in states(reader)] == ["waiting", "waiting"]
    assert reader.read().note == "runs/toy_binary has not begun; waiting for it"
    begun(config, 3, monkeypatch)
    assert states(reader) == [("fold 0", "stopped", 1, 2), ("fold 1", "waiting", 0, 2)]
    stopped = reader.read().folds[0]
    assert (stopped.step, stopped.steps, stopped.left) == (1, 2, None)
    with locks.writing(FOLD):
        working = reader.read().folds[0]
    assert (working.state, working.held) == (
        "training", f"process {os.getpid()} on {os.uname().nodename}")  # fmt: skip
    assert working.memory is not None
    train(open_experiment(config), "all")
    assert states(reader) == [("fold 0", "done", 2, 2), ("fold 1", "done", 2, 2)]
    assert len(reader.read().folds[0].history["valid_loss"]) == 2


def test_the_run_is_known_by_its_folders_alone(finished: Toy) -> None:
    finished()
    run = RunReader(Path(), "toy_binary").read()
    assert (run.metric, len(run.folds), run.note) == ("macro_f1", 2, None)
    assert run.settings.startswith("binary, test_resnet, 8 px")


def test_looking_writes_nothing(finished: Toy) -> None:
    finished()
    before = tree()
    reader = RunReader(Path(), "toy_binary")
    for _ in range(3):
        reader.read()
    assert tree() == before


def test_a_refit_is_a_row_too(finished: Toy) -> None:
    config = make_config(finished())
    folder = Path("runs/toy_binary/refit_0")
    folder.mkdir()
    (folder / "config.yaml").write_text(dump_config(config))
    assert states(RunReader(Path(), "toy_binary"))[-1] == ("refit 0", "waiting", 0, 2)


@pytest.mark.parametrize("name", ["config.yaml", "history.csv", "progress.json", "log.txt",
                                  "done.json", "last.pt", "lock"])  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"\xff\x00{", b"epoch,best\n1,\n", None])
def test_no_damage_ends_the_watching(finished: Toy, name: str, content: bytes | None) -> None:
    finished()
    path = FOLD / name
    if content is None:
        path.unlink(missing_ok=True)
        path.mkdir()
    else:
        path.write_bytes(content)
    run = RunReader(Path(), "toy_binary").read()
    assert run.note is not None or len(run.folds) == 2
    json.dumps(plain([run]), allow_nan=False)


def test_a_config_that_cannot_be_read_is_told(finished: Toy) -> None:
    finished()
    (FOLD / "config.yaml").write_text("a: [")
    run = RunReader(Path(), "toy_binary").read()
    assert run.folds == ()
    assert str(run.note).startswith("runs/toy_binary/fold_0/config.yaml cannot be read: ")


def test_a_file_is_read_again_when_it_changed_only(
    finished: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished()
    read = reading.read_history
    asked: list[Path] = []
    monkeypatch.setattr(reading, "read_history", lambda run: asked.append(run.path) or read(run))
    monkeypatch.setattr(files, "_SETTLED", 0)
    reader = RunReader(Path(), "toy_binary")
    for _ in range(3):
        reader.read()
    assert len(asked) == 2
    text = (FOLD / "history.csv").read_text()
    files.write_text(FOLD / "history.csv", text + text.splitlines()[-1] + "\n")
    assert reader.read().folds[0].epochs == 3
    assert len(asked) == 3


def test_who_gives_no_sign_is_told(planned: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(planned())
    FOLD.mkdir(parents=True)
    write_beat(FOLD / "progress.json", BEAT)
    clock = [0.0]
    monkeypatch.setattr(reading.time, "monotonic", lambda: clock[0])
    reader = RunReader(Path(), "toy_binary", config)
    with locks.writing(FOLD):
        notes = []
        for clock[0] in (0.0, 100.0, 300.0):
            notes.append(reader.read().folds[0].note)
        assert notes == [None, None, "no sign of progress for 5 min; its process is there"]
        write_beat(FOLD / "progress.json", BEAT)
        assert reader.read().folds[0].note is None


def test_the_newest_picture_is_shown_and_no_other_file_is(finished: Toy) -> None:
    finished()
    (FOLD / "pictures").mkdir()
    for number in (2, 10):
        (FOLD / f"pictures/epoch_{number:03d}.png").write_bytes(b"png")
    reader = RunReader(Path(), "toy_binary")
    shown = reader.read().folds[0].picture
    assert shown is not None
    assert (shown.name, shown.words.split(":")[0]) == ("epoch_010.png", "fold 0, epoch 10")
    assert reader.picture(0, "epoch_010.png") == FOLD / "pictures/epoch_010.png"
    for fold, name in ((0, "epoch_002.png"), (0, "../done.json"), (1, "epoch_010.png"), (9, "x")):
        assert reader.picture(fold, name) is None


def test_plain_values_have_no_nan() -> None:
    history = {"macro_f1": [float("nan"), 0.5]}
    (found,) = plain([reading.LiveRun("a", "m", (LiveFold("fold 0", history=history),))])
    assert found["folds"][0]["history"]["macro_f1"] == [None, 0.5]


def test_a_finished_fold_that_is_to_train_longer_is_at_work_again(finished: Toy) -> None:
    finished()
    path = FOLD / "config.yaml"
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 5"))
    reader = RunReader(Path(), "toy_binary")
    assert states(reader)[0] == ("fold 0", "stopped", 2, 5)
    with locks.writing(FOLD):
        assert states(reader)[0] == ("fold 0", "training", 2, 5)
    done = json.loads((FOLD / "done.json").read_text())
    (FOLD / "done.json").write_text(json.dumps({**done, "early": True}))
    assert states(reader)[0] == ("fold 0", "done", 2, 2)
