"""`comp report` on the command line."""

from __future__ import annotations

import json
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
