"""Members of an ensemble: runs that are found by name, and attributes that make joint classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import drawn, ground_of, model_of
from toys import write_csv

from comp.config.loading import make_config
from comp.config.workspace import RunDir
from comp.core.errors import ConfigError, PredictionsError, RunError
from comp.inference.predictions import Predictions
from comp.stages.ensembling import members as stage
from comp.stages.ensembling.members import (
    Ground,
    Model,
    covered_ids,
    product_model,
    run_experiment,
    run_model,
)
from comp.stages.experiment import open_experiment

Toy = Callable[..., dict[str, Any]]
RUN = Path("runs/toy_binary")
NAMES = [f"runs/toy_binary/fold_{fold}/test" for fold in (0, 1)]


def test_another_run_is_opened_with_the_views_that_it_was_predicted_with(finished: Toy) -> None:
    base = open_experiment(make_config(finished()))
    assert run_experiment("toy_binary", base) is base
    shutil.copytree(RUN, "runs/other")
    for path in Path("runs/other").glob("fold_*/*/manifest.json"):
        path.write_text(path.read_text().replace('"tta": "none"', '"tta": "hflip"'))
    other = run_experiment("other", base)
    assert (other.name, other.config.predict.tta) == ("other", "hflip")
    assert other.workspace.run == Path("runs/other")
    manifest = Path("runs/other/fold_0/valid/manifest.json")
    manifest.write_text(manifest.read_text().replace('"tta": "hflip"', '"tta": "d4"'))
    assert run_experiment("other", base).config.predict.tta == "none"  # they do not agree


def test_a_run_is_one_row_per_image_out_of_fold_and_a_test_member_per_fold(finished: Toy) -> None:
    ground = ground_of(finished())
    model = run_model(ground, ground.experiment)
    assert model.oof is not None
    assert model.oof.ids == ground.index.ids
    assert (model.name, model.missing, model.member_names) == ("toy_binary", (), NAMES)
    assert [test.ids for test in model.tests] == [ground.test.ids] * 2


def test_member_names_are_relative_to_the_workspace(finished: Toy, workspace: Path) -> None:
    ground = ground_of(finished())
    model = run_model(ground, ground.experiment)
    tests = [drawn(ground, t.ids, t.probs, path=str(workspace / p)) for t, p in
             zip(model.tests, NAMES, strict=True)]  # fmt: skip
    assert Model("x", None, tuple(tests), root=workspace).member_names == NAMES
    nameless = drawn(ground, ground.test.ids, model.tests[0].probs)
    assert Model("outside.csv", None, (nameless,)).member_names == ["outside.csv"]


def test_a_fold_that_is_not_whole_is_refused_or_left_out_of_a_part(
    finished: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, part = ground_of(finished()), ground_of(finished(), partial=True)
    (RUN / "fold_1/best.pt").write_bytes(b"torn")
    with pytest.raises(RunError, match=r"fold 1: .*best\.pt"):
        run_model(whole, whole.experiment)
    capsys.readouterr()
    model = run_model(part, part.experiment)
    assert model.oof is not None
    assert model.oof.ids == part.plan.valid(0)
    assert (model.missing, model.member_names) == ((1,), NAMES[:1])
    assert "left out: runs/toy_binary/fold_1/best.pt: not the file" in capsys.readouterr().err
    (RUN / "fold_0/done.json").unlink()
    with pytest.raises(RunError, match="runs/toy_binary: no fold is whole. Run `comp train` first"):
        run_model(part, part.experiment)


def test_predictions_that_cannot_be_made_again_are_left_out_of_a_part(
    finished: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage.Predictor, "run", lambda self, folds: [])
    (RUN / "fold_0/test/manifest.json").unlink()
    with pytest.raises(PredictionsError, match="fold_0/test"):
        whole = ground_of(finished())
        run_model(whole, whole.experiment)
    part = ground_of(finished(), partial=True)
    assert run_model(part, part.experiment).missing == (0,)
    assert "left out: runs/toy_binary/fold_0/test" in capsys.readouterr().err


def test_a_fold_of_another_plan_is_refused_in_a_part_too(finished: Toy) -> None:
    done = RUN / "fold_0/done.json"
    done.write_text(json.dumps({**json.loads(done.read_text()), "plan": "f" * 64}))
    ground = ground_of(finished(), partial=True)
    with pytest.raises(RunError, match="trained with plan ffffffff"):
        run_model(ground, ground.experiment)


def test_images_that_every_judged_model_has_are_covered(toy: Toy) -> None:
    ground = ground_of(toy("binary", 4))
    ids = ground.index.ids
    probs = np.full((4, 1), 0.5, np.float32)
    some = Model("some", drawn(ground, ids[::-2], probs[:2]), ())
    unjudged = Model("outside", None, ())
    assert covered_ids([model_of(ground, probs), some, unjudged], ground.index) == [ids[1], ids[3]]


@pytest.fixture
def joint(toy: Toy, workspace: Path) -> tuple[Ground, list[Any]]:
    """The ground of joint classes size x kind, and the experiments of both attributes."""
    tree = toy("multiclass", 8)
    rows = [[f"{n:05}", "sl"[n % 2], "ab"[n // 2 % 2]] for n in range(8)]
    write_csv(workspace / "input/train.csv", [["id", "size", "kind"], *rows])
    parts = []
    for column in ("size", "kind"):
        own = {**tree, "name": column, "data": {**tree["data"], "target": column}}
        parts.append(ground_of(own).experiment)
    joint = {**tree, "name": "joint", "data": {**tree["data"], "target": ["size", "kind"]}}
    return ground_of(joint), parts


def attribute(ground: Ground, experiment: Any, missing: tuple[int, ...] = ()) -> Model:
    """A model that is sure of the label by 0.75; of the two folds one may be missing."""
    classes = len(ground.index.classes)
    probs = np.full((len(ground.index), classes), 0.25, np.float32)
    probs[np.arange(len(probs)), ground.index.labels] = 0.75
    ids = [name for name, fold in zip(ground.index.ids, ground.plan.fold, strict=True)
           if fold not in missing]  # fmt: skip
    oof = drawn(ground, ground.index.ids, probs).align(ids)
    tests = [np.tile(np.float32([p, 1 - p]), (6, 1)) for p in (0.5, 1.0)]
    path = f"runs/{experiment.name}/fold_0/test"
    members = tuple(drawn(ground, ground.test.ids, t, path=path) for t in tests)
    return Model(experiment.name, oof, members, missing)


def test_attributes_are_multiplied_by_id_into_their_joint_class(
    joint: tuple[Ground, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ground, parts = joint
    monkeypatch.setattr(stage, "run_model", attribute)
    model = product_model(ground, parts)
    assert (model.name, model.member_names) == ("size x kind", ["size x kind"])
    assert model.oof is not None
    assert (model.oof.ids, model.oof.classes) == (ground.index.ids, ground.index.classes)
    assert model.oof.probs.argmax(axis=1).tolist() == ground.index.labels.tolist()
    assert model.oof.probs.max(axis=1).tolist() == [0.75 * 0.75] * 8
    (test,) = model.tests  # of the mean of two folds: 0.75 of the first value of each
    assert test.probs[0].tolist() == [0.75 * 0.75, 0.75 * 0.25, 0.25 * 0.75, 0.25 * 0.25]
    kept = [each["run"] for each in test.source["tests"]]
    assert kept == [f"runs/{name}/fold_0/test" for name in ("size", "size", "kind", "kind")]
    with pytest.raises(ConfigError, match=r"give --runs in the order of data\.target"):
        product_model(ground, parts[::-1])


def test_a_part_covers_what_all_attributes_have(
    joint: tuple[Ground, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ground, parts = joint

    def half(own: Ground, experiment: Any) -> Model:
        return attribute(own, experiment, (1,) if experiment.name == "kind" else ())

    monkeypatch.setattr(stage, "run_model", half)
    with pytest.raises(PredictionsError, match="no row for"):
        product_model(ground, parts)
    partial = Ground(ground.experiment, ground.index, ground.test, ground.plan, partial=True)
    model = product_model(partial, parts)
    assert model.oof is not None
    assert model.missing == (1,)
    kind = ground_of({**json.loads(json.dumps(parts[1].config.model_dump(mode="json")))})
    assert model.oof.ids == kind.plan.valid(0)


def test_views_may_differ_between_the_parts_of_a_fold_only_where_they_are_chosen() -> None:
    """With `predict.tta: auto` the other folds choose the views of the validation images."""

    def part(**source: str) -> Predictions:
        return Predictions(("a",), np.ones((1, 1)), ("n", "y"), "sigmoid", source)

    run = RunDir(Path("run"))
    valid, test = part(checkpoint_sha256="x", tta="id"), part(checkpoint_sha256="x", tta="id+flip")
    stage._refuse_pair(run, valid, test, same_views=False)
    with pytest.raises(RunError, match="predicted anew"):
        stage._refuse_pair(run, valid, test, same_views=True)
    with pytest.raises(RunError, match="predicted anew"):
        stage._refuse_pair(run, valid, part(checkpoint_sha256="y", tta="id"), same_views=False)
