"""`comp report A B`: which runs can be compared, and what is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import PlanError, UsageError
from comp.stages.ensembling.members import run_experiment
from comp.stages.experiment import Experiment, open_experiment
from comp.stages.reporting import versus
from comp.stages.reporting.opened import open_run
from comp.stages.reporting.versus import compare_runs

Finished = Callable[..., dict[str, Any]]


@pytest.fixture
def two(finished: Finished) -> Experiment:
    """The finished toy, and a copy of its run that is called `other` and has the same plan."""
    experiment = open_experiment(make_config(finished()))
    for number in (0, 1):
        here, there = (Path(f"runs/{name}/fold_{number}") for name in ("toy_binary", "other"))
        shutil.copytree(here, there)
        text = (there / "config.yaml").read_text().replace("name: toy_binary", "name: other")
        text = text.replace("plan: null", "plan: toy_binary")
        (there / "config.yaml").write_text(text)
    return experiment


def test_a_run_and_its_copy_answer_alike(two: Experiment) -> None:
    found = compare_runs(two, ["toy_binary", "other"])
    assert found.path == Path("runs/toy_binary/against_other.html")
    (gain,) = found.differences
    assert (gain.gain, gain.certain) == (0, False)
    assert found.sentences[0] == (
        "toy_binary and other answer alike: there is no difference in macro_f1."
    )
    whole, *rest = found.blends
    assert [blend.without for blend in rest] == ["toy_binary", "other"]
    assert whole.scores.honest == found.runs[0].found.scores.honest
    assert all(blend.adds is not None and blend.adds.gain == 0 for blend in rest)
    assert "<h1>toy_binary against other</h1>" in found.path.read_text(encoding="utf-8")


def test_what_cannot_be_compared_is_refused(two: Experiment) -> None:
    with pytest.raises(UsageError, match="run 'other' is named twice"):
        compare_runs(two, ["other", "other"])
    with pytest.raises(UsageError, match=r"no run 'othr' in runs; there are: .*other"):
        compare_runs(two, ["toy_binary", "othr"])
    for number in (0, 1):
        path = Path(f"runs/other/fold_{number}/config.yaml")
        path.write_text(path.read_text().replace("metric: macro_f1", "metric: accuracy"))
        shutil.rmtree(path.parent / "test")
    with pytest.raises(UsageError, match=r"another metric \(macro_f1 and accuracy\)"):
        compare_runs(two, ["toy_binary", "other"])


def test_a_run_whose_plan_is_gone_is_named_before_any_is_read(
    two: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (0, 1):
        path = Path(f"runs/other/fold_{number}/config.yaml")
        path.write_text(path.read_text().replace("plan: toy_binary", "plan: gone"))
    monkeypatch.setattr(versus, "open_run", None)
    with pytest.raises(PlanError, match=r"folds/gone\.json: .* other was trained on it\. Bring"):
        compare_runs(two, ["toy_binary", "other"])


def test_other_classes_are_refused(two: Experiment) -> None:
    first, second = (open_run(run_experiment(name, two)) for name in ("toy_binary", "other"))
    odd: Any = SimpleNamespace(classes=("x", "y"))
    with pytest.raises(UsageError, match=r"toy_binary and other: other classes \(.*'x', 'y'\)"):
        versus._refuse_other(first, replace(second, part=odd))
