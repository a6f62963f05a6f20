"""What the manifest of a submission says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from drawn import drawn, ground_of

from comp.config.loading import plain
from comp.core.provenance import git_commit, versions
from comp.ensemble.blend import Blend
from comp.ensemble.compare import BlendRow, Scores
from comp.ensemble.evidence import Fit
from comp.ensemble.votes import VOTES
from comp.stages.ensembling.members import Model
from comp.stages.ensembling.result import Request, manifest_of, plain_row

Toy = Callable[..., dict[str, Any]]
SCORES = Scores(0.5, 0.75, float("nan"), 0.25, 1.0)
PLAIN = {"raw": 0.5, "tuned": 0.75, "honest": None, "low": 0.25, "high": 1.0}


def test_a_request_is_for_the_run_of_the_config_alone() -> None:
    assert Request() == Request((), (), False, None, "auto")


def test_a_row_is_plain_values_with_null_for_an_undefined_score() -> None:
    row = BlendRow(VOTES["hard"], "greedy", Fit(np.array([0.25, 0.75]), np.array([0.5])), SCORES,
                   "no rule holds")  # fmt: skip
    assert plain_row(row) == {
        "vote": "hard",
        "weigher": "greedy",
        "weights": [0.25, 0.75],
        **PLAIN,
        "note": "no rule holds",
    }


def test_a_manifest_says_what_a_submission_was_made_of(toy: Toy) -> None:
    ground = ground_of(toy("binary", 4))
    half = np.full((6, 1), 0.5, np.float32)
    tests = [drawn(ground, ground.test.ids, half, path=f"t{k}", fold=k, tta="none") for k in (0, 1)]
    outside = drawn(ground, ground.test.ids, half, path="outside.csv")
    models = [
        Model("toy", None, tuple(tests), missing=(2,)),
        Model("outside.csv", None, (outside,)),
    ]
    weights = (0.25, 0.25, 0.5)
    names = ("runs/toy/fold_0/test", "runs/toy/fold_1/test", "outside.csv")
    blend = Blend(names, VOTES["soft"], weights, np.array([0.5]), SCORES, "look", "greedy")
    plan = ground.plan.fingerprint
    assert manifest_of(ground, blend, models, covered=3) == {
        "versions": versions(),
        "commit": git_commit(Path()),
        "task": "binary",
        "metric": "macro_f1",
        "plan": plan,
        "index": ground.plan.index_fingerprint,
        "leak": [],
        "covered": 3,
        "of": 4,
        "blend": {
            "members": [
                {"run": names[0], "model": "toy", "plan": plan, "fold": 0, "tta": "none"},
                {"run": names[1], "model": "toy", "plan": plan, "fold": 1, "tta": "none"},
                {"run": "outside.csv", "model": "outside.csv", "plan": plan},
            ],
            "vote": "soft",
            "weigher": "greedy",
            "weights": [0.25, 0.25, 0.5],
            "rule": [0.5],
            "scores": PLAIN,
            "note": "look",
        },
        "missing_folds": {"toy": [2]},
        "plugins": {},
        "config": plain(ground.experiment.config),
    }
