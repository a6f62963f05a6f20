"""Options that commands share, and those that were renamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comp.cli.options import RENAMED, again, current_names, open_config, with_options
from comp.core.progress import say

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


@pytest.mark.parametrize(
    ("config", "sets", "text"),
    [
        (None, None, ""),
        (Path("a.yaml"), [], " -c a.yaml"),
        (Path("my a.yaml"), ["x=1", "y=[a, b]"], " -c 'my a.yaml' --set x=1 --set 'y=[a, b]'"),
        (None, ["name=it's"], """ --set 'name=it'"'"'s'"""),
    ],
)
def test_the_next_command_repeats_config_and_values(
    config: Path | None, sets: list[str] | None, text: str
) -> None:
    assert again(config, sets) == text


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
    options = "-c 'a b.yaml' --set train.epochs=3"
    assert with_options(text) == (
        f"Run `comp train {options} --fold 1` first, or `comp status`; `comp folds make {options}` "
        "too"
    )
