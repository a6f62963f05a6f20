"""`comp config`, `init`, `check`, `pack` and `augment show` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(toy: Callable[..., dict[str, Any]]) -> str:
    Path("toy.yaml").write_text(yaml.safe_dump(toy("binary", 8)))
    return "toy.yaml"


def test_the_resolved_config_is_printed_whole(comp: Run, config: str) -> None:
    code, out, _ = comp("config", "-c", config, "--set", "train.lr=1e-4")
    assert (code, yaml.safe_load(out)["train"]["lr"]) == (0, 1e-4)
    assert yaml.safe_load(out)["ensemble"]["vote"] == "soft"


def test_check_says_no_with_its_own_exit_code(comp: Run, config: str) -> None:
    code, out, err = comp("check", "-c", config)
    assert (code, "unreadable" in out) == (0, True)
    assert "wrote checks/toy_binary.html and checks/toy_binary.json" in err
    assert "next: comp folds make -c toy.yaml" in err
    Path("input/train/00007.png").write_bytes(b"")
    code, out, err = comp("check", "-c", config)
    assert (code, "error: training image '00007': an empty file" in out) == (3, True)
    assert "`comp check -c toy.yaml --bad skip`" in err
    code, out, err = comp("check", "-c", config, "--bad", "skip", "--json", "-q")
    assert (code, err) == (0, "")
    assert json.loads(out)["findings"][0]["ids"] == ["00007"]
    code, _, err = comp("check", "-c", config, "--bad", "skp")
    assert (code, "Did you mean 'skip'?" in err) == (2, True)


def test_init_writes_a_config_that_check_reads(comp: Run, config: str) -> None:
    code, out, err = comp("init", "input")
    assert (code, "layout: csv" in out) == (0, True)
    assert "guesses in it are marked with `# ?`" in err
    assert "next: comp check -c configs/input.yaml" in err
    assert comp("check", "-c", "configs/input.yaml")[0] == 0
    code, _, err = comp("init", "nowhere")
    assert (code, "nowhere: no such folder" in err) == (3, True)


def test_augment_show_writes_a_picture(comp: Run, config: str) -> None:
    code, out, _ = comp("augment", "show", "-c", config, "--images", "2", "--draws", "3")
    assert (code, out) == (0, "augment.png\n")
    assert Path("augment.png").read_bytes()[:4] == b"\x89PNG"


def test_the_names_in_a_config_are_looked_up_before_it_is_printed(comp: Run, config: str) -> None:
    code, out, err = comp("config", "-c", config, "--set", "train.sampler=suffle")
    assert (code, out) == (2, "")
    assert "Did you mean 'shuffle'?" in err


def test_groups_that_are_accepted_are_named_with_what_holds_them(comp: Run, config: str) -> None:
    copy = Path("input/train/00001.png").read_bytes()
    Path("input/train/00003.png").write_bytes(copy)
    code, _, err = comp("check", "-c", config, "--accept-groups")
    assert code == 0
    path = "folds/toy_binary.groups.csv"
    assert f"wrote {path}: `comp folds make -c toy.yaml` holds these groups together" in err
    assert Path(path).is_file()


def test_init_says_what_keeps_its_config_from_being_used(comp: Run, config: str) -> None:
    for path in Path("input/test").iterdir():
        path.unlink()
    Path("input/test").rmdir()
    code, out, err = comp("init", "input", "--out", "my new.yaml", "-q")
    assert (code, out, err) == (0, Path("my new.yaml").read_text(), "")
    code, _, err = comp("init", "input", "--out", "my new.yaml")
    assert (code, "exists already" in err) == (2, True)
    code, _, err = comp("init", "input", "--out", "my new.yaml", "--replace")
    assert code == 0
    assert "warning: the config cannot be used yet: " in err
    assert "next: comp check -c 'my new.yaml'" in err


def test_pack_prints_where_images_are_and_the_next_command(comp: Run, config: str) -> None:
    code, out, err = comp("pack", "-c", config, "--json", "--verify", "--set", "seed=7")
    assert code == 0
    assert [(part["part"], part["images"]) for part in json.loads(out)] == [
        ("train", 8),
        ("test", 6),
    ]
    assert err.splitlines()[-1] == "next: comp train -c toy.yaml --set seed=7"
