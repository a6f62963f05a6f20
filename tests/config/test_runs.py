"""Runs by their names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.runs import check_runs, run_config, run_config_path
from comp.core.errors import UsageError

Toy = Callable[..., dict[str, Any]]
RUN = Path("runs/toy_binary")


def test_a_run_is_found_by_its_name_in_any_unicode_form(finished: Toy) -> None:
    assert run_config_path("toy_binary", Path("runs")) == RUN / "fold_0/config.yaml"
    shutil.copytree(RUN, "runs/caf\u00e9")
    assert run_config("cafe\u0301", Path("runs")).name == "caf\u00e9"
    with pytest.raises(
        UsageError, match=r"no run 'toy_binry' in runs; there are: .*Did you mean 'toy_binary'"
    ):
        run_config_path("toy_binry", Path("runs"))
    with pytest.raises(UsageError, match="no run 'x' in nowhere; there are: none"):
        run_config_path("x", Path("nowhere"))


def test_names_are_of_runs_that_are_there_each_once(finished: Toy) -> None:
    check_runs(["toy_binary"], Path("runs"))
    check_runs(["new", "toy_binary"], Path("runs"), own="new")
    with pytest.raises(UsageError, match="run 'toy_binary' is named twice"):
        check_runs(["toy_binary", "toy_binary"], Path("runs"))
    with pytest.raises(UsageError, match="no run 'new' in runs"):
        check_runs(["toy_binary", "new"], Path("runs"))
