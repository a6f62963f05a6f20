"""Small competitions on the disk, finished ones too, and a workspace of one's own for each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports torch: the workers of the suite share the cores, and no test
# asks the network for weights
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from cards import Card, play
from toys import lay_masks, paint, toy_rows, toy_tree, write_csv

pytest_plugins = ["browsers"]  # pages in headless Chromium


@pytest.fixture(params=[pytest.param("card", marks=pytest.mark.cuda), "played"])
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Card:
    """A CUDA device where there is one; and one that the CPU plays."""
    if request.param == "played":
        return play(monkeypatch)
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return Card(real=True)


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    """No test leaves torch with other threads: sums depend on their number."""
    yield
    torch = sys.modules.get("torch")
    assert torch is None or torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"])


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which `comp` runs."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def toy(workspace: Path) -> Callable[..., dict[str, Any]]:
    """`toy("binary")` writes a toy competition to `input/` and gives its config."""

    def make(kind: str = "multiclass", count: int = 24, **over: Any) -> dict[str, Any]:
        if kind.endswith("segmentation"):
            lay_masks(workspace / "input", count, layers=kind.startswith("multilabel"))
            return toy_tree(kind, **over)
        header, rows = toy_rows(kind, count)
        write_csv(workspace / "input/train.csv", [header, *rows])
        tests = [[f"t{number:03d}", *[0] * (len(header) - 1)] for number in range(6)]
        write_csv(workspace / "input/sample_submission.csv", [header, *tests])
        for row in rows:
            level = 40 + 80 * float(row[1])
            paint(workspace / f"input/train/{row[0]}.png", level, seed=int(row[0]))
        for number, row in enumerate(tests):
            level = 40 + 80 * (number % 2)
            paint(workspace / f"input/test/{row[0]}.png", level, seed=1000 + number)
        return toy_tree(kind, **over)

    return make


@pytest.fixture
def comp(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`comp("train", "--fold", "0")` gives the exit code, stdout and stderr."""

    from comp.cli import main

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["comp", *words])
        try:
            main.main()
            code: Any = 0
        except SystemExit as done:
            code = done.code or 0
        out = capsys.readouterr()
        return int(code), out.out, out.err

    return run


OVER: dict[str, Any] = {
    "train__batch_size": 6,
    "image__size": 8,
    "augment__recipe": "none",
    "ensemble__tune": False,
}


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from comp.config.loading import make_config
    from comp.stages.ensemble import ensemble
    from comp.stages.experiment import open_experiment
    from comp.stages.folds import make_folds
    from comp.stages.train import train

    folder = tmp_path_factory.mktemp("finished")
    header, rows = toy_rows("binary", 24)
    tests = [[f"t{number:03d}", 0] for number in range(6)]
    write_csv(folder / "input/train.csv", [header, *rows])
    write_csv(folder / "input/sample_submission.csv", [header, *tests])
    for number, row in enumerate([*rows, *tests]):
        part = "train" if number < len(rows) else "test"
        paint(folder / f"input/{part}/{row[0]}.png", 40 + 80 * (number % 2), seed=number, size=8)
    with contextlib.chdir(folder):
        experiment = open_experiment(make_config(toy_tree("binary", **OVER)))
        make_folds(experiment, replace=False)
        train(experiment, "all")
        ensemble(experiment)
    return folder


@pytest.fixture
def finished(_finished: Path, workspace: Path) -> Callable[..., dict[str, Any]]:
    """A finished workspace; `finished(train__lr=1)` gives its config with values laid over it."""
    shutil.copytree(_finished, workspace, dirs_exist_ok=True)
    return lambda **over: toy_tree("binary", **{**OVER, **over})


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`shipped("binary")`: the workspace of a finished toy with its bundle; it is not to be changed
    (see `bundle_toys.taken_out`)."""
    from bundle_toys import finish, lay_toy

    known: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in known:
            known[kind] = tmp_path_factory.mktemp(kind)
            lay_toy(kind, known[kind])
            finish(kind, known[kind])
        return known[kind]

    return of


@pytest.fixture(scope="session")
def exported(shipped: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the regression toy with ONNX files; it is not to be changed."""
    from comp.stages.shipping.export import export_onnx

    source = shipped("regression") / "bundles/toy_regression"
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    shutil.copytree(source, folder)
    export_onnx(folder)
    return folder


@pytest.fixture
def planned(finished: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The same before any training."""
    for folder in ("runs", "submissions"):
        shutil.rmtree(folder)
    return finished


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files are given to a process as a whole, those with slow tests first, so that none is left
    for the end; what breaks a workspace shares one toy."""
    files = {item: item.location[0] for item in items}
    slow = {files[item] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: files[item] not in slow)
    for item in items:
        shared = "faults" if files[item].startswith("tests/faults/") else files[item]
        item.add_marker(pytest.mark.xdist_group(shared))
