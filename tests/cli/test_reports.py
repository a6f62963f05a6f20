"""`comp report` and `comp watch` on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def test_it_prints_what_the_page_says_and_where_it_is(
    comp: Callable[..., tuple[int, str, str]], finished: Callable[..., dict[str, Any]]
) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(finished()))
    code, out, err = comp("report", "-c", "toy.yaml", "--no-maps")
    assert code == 0
    assert out.startswith("macro_f1 ")
    assert "wrote runs/toy_binary/report.html" in err
    code, out, _ = comp("report", "toy_binary", "--no-maps", "--json", "--out", "page.html")
    assert code == 0
    assert json.loads(out)["summary"][0].startswith("macro_f1 ")
    assert Path("page.html").is_file()


def test_the_last_fold_leaves_a_page_and_a_finished_run_keeps_its_own(
    comp: Callable[..., tuple[int, str, str]], finished: Callable[..., dict[str, Any]]
) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(finished()))
    page = Path("runs/toy_binary/report.html")
    page.unlink(missing_ok=True)
    code, _, err = comp("train", "-c", "toy.yaml", "--fold", "1", "--restart")
    assert code == 0
    assert f"wrote {page}; `comp report -c toy.yaml` adds" in err
    assert '<h2 id="curves">' in page.read_text(encoding="utf-8")
    page.write_text("the page of comp report")
    code, _, err = comp("train", "-c", "toy.yaml")
    assert code == 0
    assert "report.html" not in err
    assert page.read_text() == "the page of comp report"


def test_the_board_is_a_page_where_it_is_asked_for(
    comp: Callable[..., tuple[int, str, str]], finished: Callable[..., dict[str, Any]]
) -> None:
    finished()
    code, _, err = comp("board", "--page", "board.html")
    assert code == 0
    assert "wrote board.html" in err
    assert "<h1>Board</h1>" in Path("board.html").read_text(encoding="utf-8")


def test_a_run_that_is_not_there_is_a_usage_error(
    comp: Callable[..., tuple[int, str, str]], finished: Callable[..., dict[str, Any]]
) -> None:
    finished()
    code, _, err = comp("report", "toy_binry")
    assert code == 2
    assert "no run 'toy_binry' in runs" in err


def test_one_look_is_json(
    comp: Callable[..., tuple[int, str, str]], finished: Callable[..., dict[str, Any]]
) -> None:
    Path("toy.yaml").write_text(yaml.safe_dump(finished()))
    for words in (("-c", "toy.yaml"), ("toy_binary",)):
        code, out, _ = comp("watch", *words, "--json")
        assert code == 0
        (run,) = json.loads(out)["runs"]
        assert [(f["name"], f["state"]) for f in run["folds"]] == [
            ("fold 0", "done"), ("fold 1", "done")]  # fmt: skip


def test_a_run_that_is_over_ends_the_watching_in_a_log(
    comp: Callable[..., tuple[int, str, str]], finished: Callable[..., dict[str, Any]]
) -> None:
    finished()
    code, out, _ = comp("watch", "toy_binary", "--terminal")
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("toy_binary: 2 of 2 done; fold 0 2/2 ")


def test_the_page_is_served_until_the_user_leaves(finished: Callable[..., dict[str, Any]]) -> None:
    finished()
    command = [sys.executable, "-m", "comp", "watch", "toy_binary"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # What a shell starts in the background ignores Ctrl-C, and so would what it starts
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        try:
            address = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{address}state", timeout=20) as answer:
                assert json.load(answer)["title"] == "100% toy_binary"
        finally:
            process.send_signal(signal.SIGINT)
        assert "Ctrl-C ends the page, not the training" in process.stderr.read()
        assert process.wait(20) == 0


def test_a_path_is_no_run_to_watch(
    comp: Callable[..., tuple[int, str, str]], workspace: Path
) -> None:
    code, _, err = comp("watch", "../secret", "--json")
    assert code == 2
    assert "'../secret' is no name of a run" in err
