"""Several processes on one workspace: containers with their own process numbers, or one machine."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pack_toys import SMALL, expected, make_index

from comp.config.loading import make_config
from comp.core.errors import RunError
from comp.data.cache.pack import open_pack
from comp.inference.predictions import Predictions
from comp.stages.ensemble import ensemble
from comp.stages.experiment import open_experiment
from comp.stages.pack import pack
from comp.stages.predict import Predictor
from comp.train.checkpoints import checkpoint

APART = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child"]
PACK = """
import pickle, sys
from pathlib import Path
from comp.config.schema import ImageConfig
from comp.data.cache import build, pack
build._COMMIT_BYTES = 20 * 192
index = pickle.load(open(sys.argv[1], "rb"))
images = pack.open_pack(index, ImageConfig(size=8), Path(sys.argv[2])).images
sys.stdout.write(images[:].tobytes().hex())
"""


def container(name: str) -> list[str]:
    """What puts a command into a container with its own process numbers and name; the test is
    skipped where that is not allowed."""
    there = shutil.which("unshare") is not None
    if not there or subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare is not permitted here")
    return [*APART, "sh", "-c", f'hostname {name} && exec "$@"', "sh"]


def started(*commands: Sequence[str], cwd: Path | None = None) -> list[subprocess.Popen[str]]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return [subprocess.Popen(command, cwd=cwd, **pipes) for command in commands]


def test_two_containers_that_pack_at_once_leave_the_rows_of_one(tmp_path: Path) -> None:
    hosts = [container("one"), container("two")]
    index = make_index(tmp_path / "images", count=150)
    (tmp_path / "index").write_bytes(pickle.dumps(index))
    alone = open_pack(index, SMALL, tmp_path / "alone")
    for number in range(3):
        cache = tmp_path / f"cache{number}"
        words = [sys.executable, "-c", PACK, str(tmp_path / "index"), str(cache)]
        both = started(*([*host, *words] for host in hosts))
        outs = [process.communicate() for process in both]
        assert [process.returncode for process in both] == [0, 0], outs
        assert {out for out, _ in outs} == {expected(index).tobytes().hex()}
        waited = [error for _, error in outs if "waiting: " in error]
        assert all(re.search(r"held by process \d+ on (one|two) since", text) for text in waited)
        left = {path.name for path in (cache / alone.folder.name).iterdir()}
        assert left == {"images.npy", "manifest.json", "rows.txt"}
        for name in left:
            assert (cache / alone.folder.name / name).read_bytes() == (
                alone.folder / name
            ).read_bytes()


def test_a_builder_of_another_container_that_was_killed_is_taken_over_at_once(
    tmp_path: Path,
) -> None:
    index = make_index(tmp_path / "images", count=60)
    (tmp_path / "index").write_bytes(pickle.dumps(index))
    stuck = PACK.replace("index =", "add, seen = build.Build._add, []\nindex =").replace(
        "images =",
        "def stop(self, made, payloads):\n    seen.append(1)\n    add(self, made, payloads)\n"
        "    if len(seen) > 45:\n        print('stuck', flush=True)\n        sys.stdin.read()\n"
        "build.Build._add = stop\nimages =",
    )
    words = [sys.executable, "-c", stuck, str(tmp_path / "index"), str(tmp_path / "cache")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*container("gone"), *words], **pipes) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "stuck\n"
        dying.kill()  # and with `unshare` its whole container
        pick_up = [sys.executable, "-c", PACK, *words[-2:]]
        done = subprocess.run(pick_up, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected(index).tobytes().hex()
    assert "packing continues: 40 of 60 images are done" in done.stderr


HOLD = """
import sys, pathlib, comp.core.locks as locks
with locks.writing(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_an_ensemble_of_a_fold_that_is_trained_further_names_who_is_at_work(
    finished: Callable[..., dict[str, Any]],
) -> None:
    """So does the fold look while it is trained: its best checkpoint is newer than its manifest."""
    fold = Path("runs/toy_binary/fold_0")
    experiment = open_experiment(make_config(finished()))
    saved = checkpoint.load(fold / "best.pt")
    checkpoint.save({**saved, "best": {**saved["best"], "epoch": 7}}, fold / "best.pt")
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(fold)], **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        message = rf"fold 0: process {process.pid} on \S+ is at work in .*Wait for it"
        with pytest.raises(RunError, match=message):
            ensemble(experiment)
        process.communicate()
    with pytest.raises(RunError, match=r"best\.pt: not the file that done\.json names"):
        ensemble(experiment)


def test_predictions_of_two_checkpoints_are_never_one_fold(
    finished: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process predicts anew between the reading of the one part and of the other."""
    experiment = open_experiment(make_config(finished()))
    load = Predictions.load

    def later(folder: Path) -> Predictions:
        found = load(folder)
        source = {**found.source, "checkpoint_sha256": "newer"}
        return found if folder.name == "valid" else replace(found, source=source)

    monkeypatch.setattr(Predictions, "load", later)
    monkeypatch.setattr(Predictor, "run", lambda self, folds: [])
    with pytest.raises(RunError, match="fold_0: predicted anew by another process"):
        ensemble(experiment)


def test_check_and_pack_at_once_leave_what_each_leaves_alone(
    finished: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    (workspace / "toy.yaml").write_text(json.dumps(finished()))
    shutil.rmtree("cache")
    words = [sys.executable, "-m", "comp"]
    both = started([*words, "check", "-c", "toy.yaml"], [*words, "pack", "-c", "toy.yaml"])
    outs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert "packing again" not in outs[0][1] + outs[1][1]
    parts = pack(open_experiment(make_config(finished())), verify=True)
    assert [part.images for part in parts] == [24, 6]
    assert not [path for path in workspace.rglob(".*") if path.suffix in (".tmp", ".part")]
