"""The commands that are given a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("words", [(), ("--hours", "1", "--minutes", "60")])
@pytest.mark.parametrize("command", [("tune",), ("run", "input")])
def test_the_time_is_asked_for_once(
    comp: Run, workspace: Path, command: tuple[str, ...], words: tuple[str, ...]
) -> None:
    code, _, err = comp(*command, *words)
    assert (code, err) == (2, "error: give --hours or --minutes: how long it may take\n")


def test_a_search_is_given_its_time_and_says_what_comes_next(
    comp: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def tune(experiment: Any, *given: Any) -> Any:
        asked.append((experiment.config.name, *given))
        return SimpleNamespace(
            tried=(), metric="macro_f1", verdict=None, config=given[1], table=Path("t.csv"),
            seconds=300.0,
        )  # fmt: skip

    monkeypatch.setattr("comp.stages.search.tune.tune", tune)
    code, _, err = comp("tune", "--minutes", "30", "--models", "resnet18, convnext_nano")
    out = Path("configs/default_tuned.yaml")
    assert (code, asked) == (0, [("default", 0.5, out, ("resnet18", "convnext_nano"), None)])
    assert err.splitlines()[-1] == f"next: comp train -c {out} --fold all"
    assert "its folds take about 5 min" in err


def test_the_new_config_is_a_yaml_file(comp: Run, workspace: Path) -> None:
    code, _, err = comp("tune", "--hours", "1", "--out", "tuned")
    assert code == 2
    assert "--out tuned: a config ends in .yaml" in err
