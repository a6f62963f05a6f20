"""What a call of the API leaves as it found it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import comp
from comp.api.steady import as_config, open_experiment, steady
from comp.config.loading import load_config, make_config
from comp.core.errors import Interrupted, OutOfTime, UsageError
from comp.core.progress import say

Toy = Callable[..., dict[str, Any]]


def state() -> dict[str, Any]:
    """What the whole process shares."""
    import cv2
    import torch

    return {
        "handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
        "threads": (torch.get_num_threads(), cv2.getNumThreads()),
        "random": (torch.random.get_rng_state().tolist(), random.getstate()),
        "exact": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "precision": torch.get_float32_matmul_precision(),
    }


def disturb() -> None:
    """Change all of it."""
    import cv2
    import torch

    os.environ["LD_LIBRARY_PATH"] = "nowhere"
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "changed by an import"
    warnings.simplefilter("error", ResourceWarning)
    torch.set_num_threads(torch.get_num_threads() + 1)
    cv2.setNumThreads(cv2.getNumThreads() + 1)
    torch.manual_seed(8)
    random.seed(8)
    torch.use_deterministic_algorithms(not torch.are_deterministic_algorithms_enabled())
    torch.backends.cudnn.deterministic = not torch.backends.cudnn.deterministic
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("medium")


def test_all_that_the_process_shares_is_put_back() -> None:
    before = state()
    with steady(quiet=True, network=True):
        disturb()
        during = state()
    assert [name for name, value in during.items() if value == before[name]] == ["handlers"]
    assert state() == before


def test_it_is_put_back_after_an_error_too() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), steady(quiet=True, network=True):
        disturb()
        raise ZeroDivisionError
    assert state() == before


def test_what_another_thread_does_meanwhile_stays() -> None:
    import torch

    entered, leave = threading.Event(), threading.Event()

    def call() -> None:
        with steady(quiet=True):
            os.environ["NO_ALBUMENTATIONS_UPDATE"] = "changed by an import"
            entered.set()
            leave.wait()

    before = os.environ.get("NO_ALBUMENTATIONS_UPDATE")
    thread = threading.Thread(target=call)
    thread.start()
    entered.wait()
    os.environ["COMP_TEST_TOKEN"] = "x"
    drawn = torch.rand(3).tolist(), random.random()
    leave.set()
    thread.join()
    assert os.environ.pop("COMP_TEST_TOKEN", None) == "x"
    assert os.environ.get("NO_ALBUMENTATIONS_UPDATE") == before
    assert (torch.rand(3).tolist(), random.random()) != drawn


@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_call_says_nothing(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    with steady(quiet):
        say("inside")
    say("outside")
    assert capsys.readouterr().err == ("outside\n" if quiet else "inside\noutside\n")


def test_ctrl_c_is_a_keyboard_interrupt_and_other_signals_are_not() -> None:
    with pytest.raises(KeyboardInterrupt, match="stopped"), steady(quiet=True):
        raise Interrupted("stopped", signal.SIGINT)
    with pytest.raises(Interrupted, match="stopped"), steady(quiet=True):
        raise Interrupted("stopped", signal.SIGTERM)
    with pytest.raises(OutOfTime), steady(quiet=True):
        raise OutOfTime("the hours are over")


def test_a_config_is_given_as_itself_as_values_or_as_a_file_below_the_workspace(
    workspace: Path,
) -> None:
    tree = {"name": "x", "task": "binary", "metric": "macro_f1", "data": {"root": "i"}}
    config = make_config(tree)
    assert as_config(config, workspace) is config
    assert as_config(tree, workspace) == config
    (workspace / "configs").mkdir()
    (workspace / "configs/x.yaml").write_text(comp.config.loading.dump_config(config))
    assert as_config("configs/x.yaml", workspace) == load_config(workspace / "configs/x.yaml")
    experiment = open_experiment(tree, str(workspace))
    assert (experiment.config, experiment.workspace.root) == (config, workspace)


def test_what_is_no_config_and_no_folder_is_refused(workspace: Path) -> None:
    values: Any = [5, None]
    for wrong in values:
        with pytest.raises(
            UsageError, match=f"config={wrong}: give a Config, a mapping, or a path"
        ):
            open_experiment(wrong, workspace)
        with pytest.raises(UsageError, match=f"workspace={wrong}: give a folder"):
            open_experiment({}, wrong)
    with pytest.raises(UsageError, match="config=5: give a Config"):
        comp.load_config(values[0])
    for call in (lambda: comp.board(values[1]), lambda: comp.init("input", values[1])):
        with pytest.raises(UsageError, match="workspace=None: give a folder"):
            call()


def test_training_in_the_main_thread_or_another_leaves_the_process_as_it_was(
    planned: Toy, workspace: Path
) -> None:
    tree = planned(train__deterministic=True, train__epochs=1)
    before = state()
    comp.train(tree, workspace, folds=0, quiet=True)
    assert state() == before
    raised: list[BaseException] = []

    def call() -> None:
        try:
            comp.train(tree, workspace, folds=1, quiet=True)
            comp.predict(tree, workspace, quiet=True)
        except BaseException as problem:
            raised.append(problem)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert raised == []
    assert state() == before


FRESH = """
import json, os, sys, warnings
import comp

config, work = json.load(sys.stdin), sys.argv[1]

def state():
    return dict(os.environ), list(warnings.filters)

def settings():
    import cv2, random, torch
    cudnn = torch.backends.cudnn
    return (
        cv2.getNumThreads(), torch.get_num_threads(), random.getstate(),
        torch.random.get_rng_state().tolist(), cudnn.deterministic, cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
    )

before = state()
calls = {
    "make_folds": lambda: comp.make_folds(config, work, quiet=True),
    "read_plan": lambda: comp.read_plan(config, work, quiet=True),
    "check": lambda: comp.check(config, work, quiet=True),
    "pack": lambda: comp.pack(config, work, quiet=True),
    "train": lambda: comp.train(config, work, quiet=True),
    "predict": lambda: comp.predict(config, work, quiet=True).oof,
    "ensemble": lambda: comp.ensemble(config, work, quiet=True),
    "submit": lambda: comp.submit(config, work, quiet=True),
    "board": lambda: comp.board(work, quiet=True),
    "init": lambda: comp.init("input", work, quiet=True),
}
for name, call in calls.items():
    known = settings() if "torch" in sys.modules else None
    call()
    for what, old, new in zip(("environment", "warning filters"), before, state()):
        assert new == old, (name, what, new, old)
    assert known is None or settings() == known, name
"""


@pytest.mark.slow
def test_each_call_in_a_fresh_process_leaves_it_as_it_was(toy: Toy, workspace: Path) -> None:
    tree = toy("multiclass", train__deterministic=True, train__epochs=1)
    run = [sys.executable, "-c", FRESH, str(workspace)]
    subprocess.run(run, input=json.dumps(tree), text=True, check=True)


def test_reading_a_plan_imports_no_network(planned: Toy, workspace: Path) -> None:
    tree = planned()
    code = (
        "import json, sys, comp\n"
        "comp.read_plan(json.load(sys.stdin), sys.argv[1], quiet=True)\n"
        "assert not {'torch', 'albumentations'} & set(sys.modules)\n"
    )
    run = [sys.executable, "-c", code, str(workspace)]
    subprocess.run(run, input=json.dumps(tree), text=True, check=True)
