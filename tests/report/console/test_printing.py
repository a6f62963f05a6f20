"""Tables on stdout."""

from __future__ import annotations

import json

import pytest

from comp.report.console.printing import bold, print_json, print_table, shortened


def test_names_in_brackets_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("class", "images"), [["[red]cat[/red]", "3"], ["[개]", "12"]])
    out = capsys.readouterr().out
    assert "[red]cat[/red]" in out
    assert "[개]" in out


def test_numbers_are_on_the_right_and_texts_on_the_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("a", "b", "note"), [["x", bold("1"), "y"], ["long", "100", "longer"]], notes=1)
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "x" in line)
    assert [cell[1:-1] for cell in row.split("│")[1:-1]] == ["x   ", "  1", "y     "]


def test_without_rows_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a",), [])
    assert capsys.readouterr().out == ""


def test_json_keeps_letters_of_any_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"이름": [1, None]})
    out = capsys.readouterr().out
    assert "이름" in out
    assert json.loads(out) == {"이름": [1, None]}


def test_long_lists_are_shortened() -> None:
    assert shortened(["a", "b"], 2) == "a, b"
    assert shortened(["a", "b", "c"], 2) == "a, b and 1 more"
