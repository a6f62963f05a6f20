"""Tables on stdout."""

from __future__ import annotations

import json
import sys

import pytest

from comp.report.console.printing import bold, print_json, print_table, shortened


def test_names_in_brackets_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("class", "images"), [["[red]cat[/red]", "3"], ["[개]", "12"]])
    out = capsys.readouterr().out
    assert "[red]cat[/red]" in out
    assert "[개]" in out


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[/b]", "[/b]"),
        ("[red]x[/red] :smile:", "[red]x[/red] :smile:"),
        ("\x1b[2J\x1b[31m", r"\x1b[2J\x1b[31m"),
        ("a\rb\nc", r"a\rb\nc"),
        ("$x$ <b> =cmd()", "$x$ <b> =cmd()"),
    ],
)
@pytest.mark.parametrize("make", [str, bold])
def test_what_is_in_a_cell_or_a_head_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], name: str, shown: str, make: type
) -> None:
    print_table((name, "n"), [[make(name), "1"]])
    assert [line.count(shown) for line in capsys.readouterr().out.splitlines()] == [0, 1, 0, 1, 0]


def test_numbers_are_whole_on_a_terminal_of_20_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("class", "first number", "second"), [["abc", "0.123456789", "1" * 30]])
    out = capsys.readouterr().out
    assert "0.123456789" in out
    assert "1" * 30 in out


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
