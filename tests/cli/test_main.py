"""What a person types, and what comes back: exit codes, messages, the next command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def config(toy: Callable[..., dict[str, Any]]) -> str:
    Path("toy.yaml").write_text(yaml.safe_dump(toy("binary")))
    return "toy.yaml"


Run = Callable[..., tuple[int, str, str]]


def test_three_commands_lead_from_data_to_a_submission(comp: Run, config: str) -> None:
    code, out, err = comp("folds", "make", "-c", config)
    assert (code, "images" in out) == (0, True)
    assert "next: comp train -c toy.yaml --fold 0..1" in err
    code, out, err = comp("train", "-c", config, "--fold", "0")
    assert (code, "macro_f1" in out) == (0, True)
    assert "next: comp train -c toy.yaml --fold 1" in err
    code, out, err = comp("train", "-c", config, "--fold", "0..1")
    assert code == 0
    assert "fold 0: finished before, skipped" in err
    assert "next: comp ensemble -c toy.yaml" in err
    code, out, err = comp("ensemble", "-c", config, "--vote", "hard", "--json")
    assert code == 0
    assert json.loads(out)["vote"] == "hard"
    assert Path("submissions/toy_binary.csv").read_text().startswith("id,label\nt000,")


def test_results_go_to_stdout_and_quiet_says_nothing_else(comp: Run, config: str) -> None:
    comp("folds", "make", "-c", config)
    code, out, err = comp("folds", "make", "-c", config, "--json", "-q")
    assert (code, err) == (0, "")
    assert json.loads(out)["balance"]["rows"] == [12, 12]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--set", "train.lrr=1"], 2, "Did you mean 'lr'?"),
        (["--set", "task=binray"], 2, "Did you mean 'binary'?"),
        (["-c", "toi.yaml"], 2, "toi.yaml: no such file. Did you mean toy.yaml?"),
        (["--set", "data.root=inputt"], 3, "inputt"),
        (["--set", "data.target=labell"], 3, "'label'"),
        (["--set", "folds.count=99"], 3, "99 folds for 24 images"),
    ],
)
def test_a_users_mistake_is_one_message_and_an_exit_code(
    comp: Run, config: str, words: list[str], code: int, message: str
) -> None:
    given = words if "-c" in words else ["-c", config, *words]
    got, out, err = comp("folds", "make", *given)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err
    assert not Path("folds").exists()


def test_each_stage_names_the_command_that_is_missing(comp: Run, config: str) -> None:
    code, _, err = comp("train", "-c", config)
    assert (code, "comp folds make" in err) == (3, True)
    comp("folds", "make", "-c", config)
    code, _, err = comp("ensemble", "-c", config)
    assert (code, "Run `comp train -c toy.yaml --fold 0` first" in err) == (3, True)
    code, _, err = comp("train", "-c", config, "--fold", "7")
    assert (code, "there is no fold 7; the plan has folds 0..1" in err) == (2, True)


def test_unknown_commands_and_options_are_usage_errors(comp: Run) -> None:
    assert comp("trian")[0] == 2
    assert comp("train", "--fld", "0")[0] == 2


def test_ctrl_c_exits_with_130(comp: Run, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("comp.stages.folds.make_plan", interrupted)
    code, _, err = comp("folds", "make", "-c", config)
    assert (code, "interrupted" in err) == (130, True)


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("can't start new thread"),
        ImportError("a.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_one_error(
    comp: Run, config: str, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr("comp.stages.folds.make_plan", failing)
    code, out, err = comp("folds", "make", "-c", config)
    assert (code, out) == (1, "")
    assert err.startswith("error: the memory of this computer")
    problem = ValueError("something else")
    with pytest.raises(ValueError, match="something else"):
        comp("folds", "make", "-c", config)


def test_help_and_the_early_errors_do_not_pay_for_torch() -> None:
    check = (
        "import sys; sys.argv = ['comp', '--help']\n"
        "from comp.cli import main\n"
        "try: main.main()\n"
        "except SystemExit: pass\n"
        "names = {'torch', 'timm', 'cv2', 'numpy', 'pandas', 'pydantic', 'rich'}\n"
        "heavy = names & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
