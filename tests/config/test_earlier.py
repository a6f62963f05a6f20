"""A run that was begun with the defaults of an earlier version goes on with them."""

from pathlib import Path
from typing import Any

import pytest

from comp.config.earlier import EARLIER, with_begun_defaults
from comp.config.loading import dump_config, make_config
from comp.config.plain_yaml import assign, flatten
from comp.config.workspace import workspace_of

SMALL: dict[str, Any] = {
    "name": "x",
    "task": "binary",
    "metric": "macro_f1",
    "data": {"root": "in"},
    "model": {"pretrained": False},
}


def with_sets(**sets: Any) -> Any:
    tree = {key: dict(value) if isinstance(value, dict) else value for key, value in SMALL.items()}
    for path, value in sets.items():
        assign(tree, f"{path.replace('__', '.')}={value}")
    return make_config(tree)


def begin(root: Path, **sets: Any) -> None:
    folder = root / "runs/x/fold_1"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump_config(with_sets(**sets)), encoding="utf-8")


OLD = {path.replace(".", "__"): value for path, value in EARLIER.items()}


def test_what_is_left_out_keeps_its_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(tmp_path, **OLD)
    config = with_sets(train__epochs=3)
    found = dict(flatten(with_begun_defaults(config, workspace_of(config, tmp_path)).model_dump()))
    assert {path: found[path] for path in EARLIER} == EARLIER
    assert found["train.epochs"] == 3
    assert "train.sched: cosine" in capsys.readouterr().err


def test_what_the_user_says_is_not_touched(tmp_path: Path) -> None:
    begin(tmp_path, **OLD)
    config = with_sets(train__sched="onecycle", train__lr=0.01)
    train = with_begun_defaults(config, workspace_of(config, tmp_path)).train
    assert (train.sched, train.lr) == ("onecycle", 0.01)


def test_a_new_run_and_one_with_the_defaults_of_now_have_these(tmp_path: Path) -> None:
    config = with_sets()
    assert with_begun_defaults(config, workspace_of(config, tmp_path)) is config
    begin(tmp_path)
    assert with_begun_defaults(config, workspace_of(config, tmp_path)) is config


@pytest.mark.parametrize("text", ["a: [", "- a", ""])
def test_a_config_that_cannot_be_read_is_left_to_the_guard_of_the_fold(
    tmp_path: Path, text: str
) -> None:
    begin(tmp_path)
    (tmp_path / "runs/x/fold_1/config.yaml").write_text(text, encoding="utf-8")
    config = with_sets()
    assert with_begun_defaults(config, workspace_of(config, tmp_path)) is config
