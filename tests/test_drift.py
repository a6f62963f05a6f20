"""What changed since a fold was begun: refused with what changed, or free."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import paint

from comp.config.loading import make_config
from comp.core.errors import CheckError, CompError, RunError
from comp.core.footer import seal
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.predict import predict
from comp.stages.train import train

Toy = Callable[..., dict[str, Any]]


FOLD = Path("runs/toy_binary/fold_0")


REFUSED: list[tuple[str, Any, str]] = [
    ("seed", 1, "seed: 42 -> 1"),
    ("train__lr", 0.5, "train.lr: 0.003 -> 0.5"),
    ("train__epochs", 1, "train.epochs: 2 -> 1"),
    ("train__batch_size", 4, "train.batch_size: 6 -> 4"),
    ("model__drop_rate", 0.5, "model.drop_rate: 0.0 -> 0.5"),
    ("image__size", 32, "image.size: 8 -> 32"),
    ("augment__recipe", "flips", "augment.recipe: 'none' -> 'flips'"),
]
FREE: list[tuple[str, Any]] = [
    ("train__workers", 1),
    ("train__epochs", 3),
    ("train__checkpoint_minutes", 1.0),
    ("train__max_hours", 5.0),
    ("predict__tta", "hflip"),
    ("ensemble__vote", "hard"),
]


@pytest.mark.parametrize(("key", "value", "message"), REFUSED)
def test_what_would_change_the_result_is_refused_with_old_and_new(
    finished: Toy, key: str, value: Any, message: str
) -> None:
    """F38."""
    with pytest.raises(RunError) as caught:
        train(open_experiment(make_config(finished(**{key: value}))), "0")
    assert f"\n  {message}\n" in str(caught.value)
    assert "Free to change: more train.epochs, train.workers" in str(caught.value)


@pytest.mark.parametrize(("key", "value"), FREE)
def test_what_would_not_is_free(finished: Toy, key: str, value: Any) -> None:
    (done,) = train(open_experiment(make_config(finished(**{key: value}))), "0")
    assert done.before == (key != "train__epochs")


def test_data_that_moved_are_the_same_data(finished: Toy, workspace: Path) -> None:
    shutil.move(workspace / "input", workspace / "elsewhere")
    tree = finished(data__root="elsewhere")
    (done,) = train(open_experiment(make_config(tree)), "0")
    assert done.before


def test_an_image_that_was_replaced_is_noticed_by_training_and_by_prediction(
    finished: Toy, workspace: Path
) -> None:
    """F25."""
    config, more = make_config(finished()), make_config(finished(train__epochs=3))
    paint(workspace / "input/test/t000.png", 200, seed=9)
    assert len(predict(open_experiment(config), "all")) == 2, "the tests of both folds"
    paint(workspace / "input/train/00000.png", 200, seed=9)
    with pytest.raises(RunError, match=r"(?s)trained on other image files.*--restart"):
        train(open_experiment(more), "0")


def test_starting_over_is_the_way_out(finished: Toy) -> None:
    other = open_experiment(make_config(finished(train__lr=0.5)))
    (done,) = train(other, "0", restart=True)
    assert not done.before
    (done,) = train(other, "0")
    assert done.before


def test_predictions_of_another_plan_cannot_be_mixed_in(finished: Toy, workspace: Path) -> None:
    """F26."""
    config = make_config(finished())
    manifest = FOLD / "valid/manifest.json"
    text = manifest.read_text()
    fingerprint = text.split('"plan": "')[1][:64]
    manifest.write_text(text.replace(fingerprint, "f" * 64))
    ensemble(open_experiment(config))
    assert fingerprint in manifest.read_text(), "made again from this plan's checkpoint"
    done = FOLD / "done.json"
    done.write_text(done.read_text().replace(fingerprint, "f" * 64))
    with pytest.raises(RunError, match=rf"trained with plan ffffffff, .* now {fingerprint[:8]}"):
        ensemble(open_experiment(config))


def test_an_ensemble_wants_every_fold_whole(finished: Toy) -> None:
    """F46."""
    config = make_config(finished())
    shutil.rmtree("submissions")
    (FOLD / "best.pt").write_bytes(b"corrupt")
    with pytest.raises(RunError, match=r"fold 0: .*best\.pt: not the file that done\.json names"):
        ensemble(open_experiment(config))
    shutil.rmtree(FOLD)
    with pytest.raises(CheckError, match="fold 0 is not trained to its end"):
        ensemble(open_experiment(config))
    assert not Path("submissions").exists()


def test_torn_predictions_are_made_again(finished: Toy) -> None:
    config = make_config(finished())
    first = Path("submissions/toy_binary.csv").read_bytes()
    for name in ("probs.npy", "ids.txt", "manifest.json"):
        whole = (FOLD / "valid" / name).read_bytes()
        (FOLD / "valid" / name).write_bytes(whole[: len(whole) // 2])
        assert predict(open_experiment(config), "all") == [FOLD / "valid"]
        assert (FOLD / "valid" / name).read_bytes() == whole
    assert ensemble(open_experiment(config)).path.read_bytes() == first


def test_prediction_and_training_do_not_write_one_fold_at_once(finished: Toy) -> None:
    """F42."""
    config = make_config(finished())
    flipped = open_experiment(make_config(finished(predict__tta="hflip")))
    hold = "import sys, pathlib, comp.core.locks as locks\n"
    hold += "with locks.writing(pathlib.Path(sys.argv[1])):\n"
    hold += "    print('held', flush=True)\n    sys.stdin.read()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", hold, str(FOLD)], **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for stage in (predict, train):
            with pytest.raises(CompError, match=f"fold_0: held by process {process.pid} on"):
                stage(flipped, "0")
        assert predict(open_experiment(config), "0") == [], "what is there needs no lock"
        process.communicate()
    assert len(predict(flipped, "0")) == 2


def test_a_manifest_that_is_torn_is_made_again_from_the_checkpoints(
    finished: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config(finished())
    whole = (FOLD / "done.json").read_bytes()
    (FOLD / "done.json").write_bytes(whole[:40])
    train(open_experiment(config), "0")
    assert "looking at its checkpoints" in capsys.readouterr().err
    assert (FOLD / "done.json").read_bytes() == whole


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
@pytest.mark.parametrize("kind", ["torch", "pickle", "sealed"])
def test_code_in_a_run_folder_is_never_run(
    finished: Toy, workspace: Path, name: str, kind: str
) -> None:
    """F39: the file may even carry the right checksum."""
    canary = workspace / "canary"
    evil = {"model": {}, "evil": Canary(canary), "optimizer": {}, "epoch": 0, "step": 0}
    torch.save(evil, FOLD / name)
    if kind == "pickle":
        (FOLD / name).write_bytes(pickle.dumps(evil))
    if kind == "sealed":
        import hashlib

        body = (FOLD / name).read_bytes()
        (FOLD / name).write_bytes(body + seal(hashlib.sha256(body), 0, 0))
    (FOLD / "last.1.pt").unlink()
    (FOLD / "done.json").unlink()
    with pytest.raises(RunError, match=rf"{name}: (damaged|not a checkpoint)"):
        train(open_experiment(make_config(finished())), "0")
    assert not canary.exists()


def test_an_array_that_holds_code_is_never_opened(finished: Toy, workspace: Path) -> None:
    """F39."""
    import numpy as np

    config = make_config(finished())
    canary = workspace / "canary"
    evil = np.array([Canary(canary)], dtype=object)
    np.save(FOLD / "valid/probs.npy", evil, allow_pickle=True)
    (pack,) = {p for p in (workspace / "cache").glob("*/images.npy") if p.stat().st_size > 3000}
    np.save(pack, evil, allow_pickle=True)
    assert predict(open_experiment(config), "0") == [FOLD / "valid"]
    assert not canary.exists()
