"""What a call of the API leaves as it found it."""

from __future__ import annotations

import os
import random
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import comp
from comp.api.steady import as_config, open_experiment, steady
from comp.config.loading import load_config, make_config
from comp.core.errors import Interrupted, OutOfTime
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

    os.environ["PATH"] = "nowhere"
    os.environ["COMP_TEST"] = "1"
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
    with steady(quiet=True):
        disturb()
        during = state()
    assert [name for name, value in during.items() if value == before[name]] == ["handlers"]
    assert state() == before


def test_it_is_put_back_after_an_error_too() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), steady(quiet=True):
        disturb()
        raise ZeroDivisionError
    assert state() == before


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
