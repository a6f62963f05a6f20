import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from comp.config.loading import make_config, plain
from comp.config.plain_yaml import differences
from comp.config.reference import _inner
from comp.config.schema import Config
from comp.core.errors import ConfigError

SMALL: dict[str, Any] = {
    "name": "x",
    "task": "binary",
    "metric": "macro_f1",
    "data": {"root": "input"},
}


def refusal(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        make_config(tree)
    return str(caught.value)


def test_the_defaults_are_those_that_users_were_promised() -> None:
    config = make_config(SMALL)
    assert (config.image.size, config.folds.count, config.folds.scheme) == (331, 5, "auto")
    assert (config.train.epochs, config.train.batch_size, config.train.lr) == (25, 32, 1e-3)
    assert (config.train.opt, config.train.weight_decay, config.train.sched) == (
        "adamw",
        0.01,
        "onecycle",
    )
    assert (config.model.name, config.model.pretrained) == ("efficientnet_b0", True)
    assert (config.augment.recipe, config.model.init) == ("light", "auto")
    assert (config.predict.tta, config.predict.checkpoint) == ("none", "best")
    assert (config.ensemble.vote, config.ensemble.weights, config.ensemble.tune) == (
        "soft",
        "equal",
        True,
    )
    assert (config.seed, config.submission.write) == (42, "auto")


@pytest.mark.parametrize(
    ("sections", "rate"),
    [
        ({}, 1e-3),
        ({"model": {"pretrained": False}}, 3e-3),
        ({"model": {"pretrained": False, "weights": "mine.pt"}}, 1e-3),
        ({"model": {"pretrained": False}, "train": {"lr": 1e-3}}, 1e-3),
        ({"model": {"pretrained": False}, "train": {"epochs": 3}}, 3e-3),
    ],
)
def test_without_a_learning_rate_it_is_that_of_how_the_network_starts(
    sections: dict[str, Any], rate: float
) -> None:
    config = make_config({**SMALL, **sections})
    assert config.train.lr == rate
    assert make_config(plain(config)).train.lr == rate


def test_an_unknown_key_is_named_with_its_path_and_the_nearest() -> None:
    message = refusal({**SMALL, "train": {"epoch": 3}})
    assert "train.epoch: unknown key" in message
    assert "Did you mean 'epochs'?" in message


def test_all_complaints_come_at_once() -> None:
    message = refusal({**SMALL, "seed": "x", "folds": {"count": 1}, "image": {"size": 2.5}})
    assert "seed: " in message
    assert "folds.count: Input should be greater than or equal to 2, found 1" in message
    assert "image.size: " in message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"train": {"lr": -1}}, "train.lr: Input should be greater than 0"),
        ({"train": {"lr": float("nan")}}, "train.lr: Input should be"),
        ({"train": {"epochs": 2, "warmup_epochs": 2}}, "must be fewer than epochs"),
        ({"train": {"micro_batch": 64}}, "cannot exceed batch_size"),
        ({"train": {"precision": "bf15"}}, "Did you mean 'bf16'?"),
        ({"model": {"pretrained": "yes"}}, "model.pretrained: Input should be a valid boolean"),
        ({"name": "../up"}, "name: a name for folders and files"),
        ({"name": "a\x00b"}, "name: a name for folders and files"),
        *(
            ({"name": n}, "name: a name for folders and files")
            for n in ("", ".x", " x", "a/b", "a:b")
        ),
        ({"name": "가" * 67}, "name: 201 bytes; at most 200 fit in file names"),
        ({"data": {}}, "data.root: this key is needed"),
    ],
)
def test_impossible_values_are_refused(section: dict[str, Any], message: str) -> None:
    assert message in refusal({**SMALL, **section})


@pytest.mark.parametrize(
    "name", ["글자 인식-2", "🍎", "사과 🍎 v1.5+x", "👩🏽‍🔬 lab", "🇰🇷", "é_1", "가" * 66]
)
def test_a_name_may_be_korean_or_an_emoji(name: str) -> None:
    assert make_config({**SMALL, "name": name}).name == name


def test_a_name_is_one_in_both_unicode_forms() -> None:
    spelled = [unicodedata.normalize(form, "글자 é") for form in ("NFC", "NFD")]
    assert len({*spelled}) == 2
    assert {make_config({**SMALL, "name": name}).name for name in spelled} == {spelled[0]}


def test_differences_name_the_keys_that_changed() -> None:
    old, new = plain(make_config(SMALL)), plain(make_config({**SMALL, "train": {"lr": 0.5}}))
    assert differences(old, new) == {"train.lr": (0.001, 0.5)}
    assert differences(old, {}) != {}


def _numbers(section: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field that may hold a float."""
    for name, field in section.model_fields.items():
        inner = _inner(field.annotation)
        if inner is not None:
            yield from _numbers(inner, (*path, name))
        elif "float" in str(field.annotation):
            yield (*path, name)


@pytest.mark.parametrize("path", [*_numbers(Config)], ids=".".join)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_of_a_config_is_nan_or_infinite(path: tuple[str, ...], value: float) -> None:
    """Alone, in a list, in a pair and in a mapping."""
    for given in (value, [value], [value, value], [0.5, value, 0.5], {"a": value}, {"a": [value]}):
        tree: Any = given
        for name in reversed(path[1:]):
            tree = {name: [tree] if name in ("extra", "aux") else tree}
        told = refusal({**SMALL, path[0]: [tree] if path[0] == "tasks" else tree})
        assert ".".join(path) in told.replace(".0.", ".")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"std": [0, 0, 0]}, "image.std.0: Input should be greater than or equal to 0.001"),
        ({"std": [0.2, -0.2, 0.2]}, "image.std.1: Input should be greater than or equal to 0.001"),
        ({"std": [58.4, 57.1, 57.4]}, "image.std.0: Input should be less than or equal to 1"),
        ({"mean": [123.7, 0.5, 0.5]}, "image.mean.0: Input should be less than or equal to 1"),
        ({"mean": [0.5, 0.5, -0.1]}, "image.mean.2: Input should be greater than or equal to 0"),
        ({"mean": []}, "image.mean: "),
        ({"mean": [0.5], "std": [0.5] * 3}, "image: mean and std must have as many numbers"),
        ({"mean": [0.5] * 2, "std": [0.5] * 2}, "image: mean and std take three numbers each"),
        ({"std": [0.5]}, "image: mean and std take three numbers each"),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(image: dict[str, Any], message: str) -> None:
    assert message in refusal({**SMALL, "image": image})


def test_the_lowest_rate_is_held_against_the_rate_that_is_used() -> None:
    scratch = {**SMALL, "model": {"pretrained": False}}
    assert make_config({**scratch, "train": {"min_lr": 0.002}}).train.lr == 0.003
    for tree, high in (({**SMALL, "train": {"min_lr": 0.002}}, 0.001),
                       ({**scratch, "train": {"min_lr": 0.003}}, 0.003)):  # fmt: skip
        assert f"must be lower than train.lr ({high})" in refusal(tree)
