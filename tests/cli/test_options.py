"""Options that commands share, and those that were renamed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import comp as comp_package
from comp.cli.options import RENAMED, current_names, open_config
from comp.core.progress import say
from comp.core.terminal import advise_for, with_options

Run = Callable[..., tuple[int, str, str]]
Toy = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _advice() -> Iterator[None]:
    """What is advised in messages is of a command; a test in this process leaves none behind."""
    yield
    advise_for(None, None)


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


REFUSED = {
    "report nosuch": (2, "no run 'nosuch' in runs"),
    "report a a": (2, "no run 'a' in runs"),
    "report --out .": (2, "--out .: is a folder; name the file to write in it"),
    "board": (2, "nothing to show"),
    "board --page .": (2, "--page .: is a folder"),
    "board --page /no/such/folder/page.html": (2, "there is no folder /no/such/folder; make it"),
    "board --picture /no/such/folder/page.png": (2, "--picture /no/such/folder/page.png: there is"),
    "watch nosuch --json": (2, "no run 'nosuch' in runs; there are: none"),
    "watch --json --terminal": (2, "give one of them"),
    "train": (3, "no fold plan there"),
    "train --refit --fold 0": (2, "--refit trains on all images"),
    "train --seeds 2": (2, "--seeds is how many networks"),
    "train --set train.epoch=3": (2, "train.epoch: unknown key"),
    "predict": (3, "no fold plan there"),
    "ensemble": (3, "no fold plan there"),
    "ensemble --runs nosuch": (2, "no run 'nosuch' in runs"),
    "stack --runs nosuch": (2, "no run 'nosuch' in runs"),
    "labels --runs nosuch": (2, "no run 'nosuch' in runs"),
    "find lr": (3, "no fold plan there"),
    "bundle nosuch": (2, "no submission 'nosuch'"),
    "winner nosuch": (2, "no submission 'nosuch'"),
    "export bundle": (2, "say which form"),
    "tune": (2, "give --hours or --minutes"),
    "run input": (2, "give --hours or --minutes"),
}


def test_what_is_refused_does_not_wait_for_torch(workspace: Path) -> None:
    """One process, so that its modules tell: each refusal has its code and message, once."""
    code = """
import contextlib, io, json, sys
from comp.cli import main
found = {}
for words in json.load(sys.stdin):
    sys.argv, said = ["comp", *words.split()], io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main.main()
            rc = 0
        except SystemExit as done:
            rc = done.code
    found[words] = rc, said.getvalue(), "torch" in sys.modules
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([*REFUSED]),
        env={**os.environ, "PYTHONPATH": str(Path(comp_package.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {words: rc for words, (rc, _, _) in found.items()} == {
        words: rc for words, (rc, _) in REFUSED.items()
    }
    for words, (_, text) in REFUSED.items():
        assert text in found[words][1], (words, found[words][1])
        assert found[words][1].count("error: ") == 1, found[words][1]
    assert [words for words, (_, _, slow) in found.items() if slow] == []
    assert list(workspace.iterdir()) == []
