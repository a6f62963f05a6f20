from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comp.config.loading import make_config
from comp.core.errors import ConfigError, UsageError
from comp.stages.experiment import check_names, open_experiment, parse_folds, read_plan, read_train
from comp.stages.folds import make_folds

TREE: dict[str, Any] = {"name": "x", "task": "binary", "metric": "macro_f1", "data": {"root": "i"}}


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("0", [0]),
        ("0,2", [0, 2]),
        ("0..4", [0, 1, 2, 3, 4]),
        ("0-2", [0, 1, 2]),
        ("all", [0, 1, 2, 3, 4]),
        ("3, 1..2, 3", [1, 2, 3]),
    ],
)
def test_folds_are_named_in_four_ways(text: str, folds: list[int]) -> None:
    assert parse_folds(text, 5) == folds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "there is no fold 5; the plan has folds 0..4"),
        ("0..9", "there is no fold 5"),
        ("3..1", "runs backwards"),
        ("x", "write it as 0, as 0,2, as 0..4, or as all"),
        ("-1", "write it as"),
        ("", "write it as"),
        ("99999999999", "there is no fold 99999999999"),
    ],
)
def test_a_fold_that_does_not_exist_is_an_error(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_folds(text, 5)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"task": "multiclas"}, r"unknown task 'multiclas'.*Did you mean 'multiclass'"),
        ({"metric": "f1_macro"}, r"unknown metric 'f1_macro'"),
        ({"data": {"root": "i", "layout": "cvs"}}, r"unknown data\.layout 'cvs'.*'csv'"),
        ({"folds": {"scheme": "stratifed"}}, r"unknown folds\.scheme .*'stratified'"),
        ({"augment": {"recipe": "lite"}}, r"unknown augment\.recipe 'lite'"),
        ({"train": {"loss": "ce"}}, r"'ce' is for softmax outputs"),
        ({"train": {"sampler": "suffle"}}, r"unknown train\.sampler .*'shuffle'"),
        ({"train": {"sched": "cosin"}}, r"unknown train\.sched .*'cosine'"),
        ({"predict": {"tta": "d8"}}, r"unknown predict\.tta .*d4"),
        ({"ensemble": {"vote": "herd"}}, r"unknown ensemble\.vote .*'hard'"),
        ({"image": {"resize": "strech"}}, r"unknown image\.resize .*'stretch'"),
    ],
)
def test_every_name_in_the_config_is_looked_up_before_any_work(
    section: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_names(open_experiment(make_config({**TREE, **section})))


def test_who_shares_a_plan_shares_the_groups_that_were_accepted(
    toy: Callable[..., dict[str, Any]],
) -> None:
    tree = toy("multiclass")
    first = open_experiment(make_config(tree))
    rows = [f"{number:05d},g{number // 2}" for number in range(24)]
    first.workspace.groups_csv.parent.mkdir()
    first.workspace.groups_csv.write_text("\n".join(["id,group", *rows]) + "\n")
    make_folds(first, replace=False)
    tree = {**tree, "name": "second", "folds": {"count": 2, "plan": "toy_multiclass"}}
    for over in ({}, {"train": {**tree["train"], "subset": 12}}):
        other = open_experiment(make_config({**tree, **over}))
        index = read_train(other)
        assert index.groups is not None
        assert read_plan(other, index).groups == index.groups
    assert not Path("folds/second.groups.csv").exists()


def test_margins_need_cosines_and_cosines_one_of_several_classes(
    toy: Callable[..., dict[str, Any]],
) -> None:
    def names(kind: str, **over: Any) -> None:
        check_names(open_experiment(make_config(toy(kind, **over))))

    names("multiclass", train__loss="arcface", model__head="cosine")
    with pytest.raises(ConfigError, match="arcface puts its margin between cosines: it needs mod"):
        names("multiclass", train__loss={"ce": 1.0, "arcface": 1.0})
    with pytest.raises(ConfigError, match="cosine is for one of several classes"):
        names("binary", model__head="cosine")
