"""Options that commands share, and those that were renamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.cli.options import RENAMED, current_names, open_config
from comp.core.progress import say
from comp.core.terminal import with_options

Run = Callable[..., tuple[int, str, str]]
Toy = Callable[..., dict[str, Any]]


def test_old_names_become_present_ones_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "--allow-unasked", "-c", "a.yaml"]
    assert current_names(words) == ["check", "--allow-extra-images", "-c", "a.yaml"]
    said = capsys.readouterr().err
    assert said == "note: --allow-unasked is called --allow-extra-images now\n"
    assert current_names(["check", "-q"]) == ["check", "-q"]
    assert capsys.readouterr().err == ""
    assert not {*RENAMED} & {*RENAMED.values()}


def test_an_option_under_its_old_name_works_with_a_note(comp: Run, planned: Toy) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(planned()))
    code, _, err = comp("check", "-c", "toy.yaml", "--allow-unasked")
    assert code == 0
    assert "note: --allow-unasked is called --allow-extra-images now" in err


def test_an_experiment_is_opened_with_values_over_its_file(
    planned: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("toy.yaml")
    path.write_text(yaml.safe_dump(planned()))
    experiment = open_config(path, ["train.lr=0.5"], quiet=True)
    assert (experiment.name, experiment.config.train.lr) == ("toy_binary", 0.5)
    say("nobody hears this")
    assert open_config(None, None).name == "default"
    say("but this")
    assert capsys.readouterr().err == "but this\n"


def test_advised_commands_are_for_the_experiment_at_hand(comp: Run, planned: Toy) -> None:
    Path("a b.yaml").write_text(yaml.safe_dump(planned()))
    open_config(Path("a b.yaml"), ["train.epochs=3", "predict.tta=none"])
    text = "Run `comp train --fold 1` first, or `comp status`; `comp folds make` too"
    options = "-c 'a b.yaml' --set train.epochs=3 --set predict.tta=none"
    assert with_options(text) == (
        f"Run `comp train {options} --fold 1` first, or `comp status {options}`; "
        f"`comp folds make {options}` too"
    )


def test_every_message_about_an_experiment_carries_its_options(comp: Run, planned: Toy) -> None:
    Path("a b.yaml").write_text(yaml.safe_dump(planned()))
    options = "-c 'a b.yaml' --set seed=7"
    words = ("-c", "a b.yaml", "--set", "seed=7")
    Path("folds/toy_binary.json").unlink()
    Path("folds/toy_binary.csv").unlink()
    code, _, err = comp("train", *words)
    assert code == 3
    assert f"`comp folds make {options}`" in err
    _, out, err = comp("status", *words)
    assert f"next: comp folds make {options}" in err
    _, out, _ = comp("status", *words, "--json")
    assert json.loads(out)["next"] == f"comp folds make {options}"
    assert f"next: comp train {options} --fold 0..1" in comp("folds", "make", *words)[2]
