"""The board as tables, as JSON, and as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_toys import cells, heads, keep_figures

from comp.core.errors import UsageError
from comp.report import board
from comp.report.board import draw_board, print_board
from comp.stages.board import BoardEntry, BoardGroup

NAN = float("nan")
RUN = BoardEntry("toy", "run", 0.81, 0.79, 0.7, 0.875, 0.8, NAN, NAN, "")
SENT = BoardEntry("toy", "submission", 0.81, 0.79, 0.7, 0.875, NAN, 0.7264, 0.71, "partial.")
BARE = BoardEntry("bare", "submission", NAN, NAN, NAN, NAN, NAN, NAN, NAN, "")


def group(*entries: BoardEntry, metric: str = "macro_f1") -> BoardGroup:
    return BoardGroup(metric, True, "0123456789abcdef", entries)


def test_a_row_has_what_is_known_and_empty_cells_for_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_board([group(RUN, SENT, BARE)], as_json=False)
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "macro_f1, plan 01234567"
    assert heads(out) == ["name", "folds", "raw", "honest", "95 %", "public", "private", "note"]
    assert cells(out) == [
        ["runs/toy", "0.8000", "0.8100", "0.7900", "0.700-0.875", "", "", ""],
        ["toy.csv", "", "0.8100", "0.7900", "0.700-0.875", "0.7264", "0.7100", "partial."],
        ["bare.csv", "", "", "", "", "", "", ""],
    ]


def test_without_notes_there_is_no_column_of_notes(capsys: pytest.CaptureFixture[str]) -> None:
    print_board([group(RUN)], as_json=False)
    out = capsys.readouterr()
    assert heads(out.out)[-1] == "private"
    assert [len(row) for row in cells(out.out)] == [7]
    assert out.err == ""


def test_several_tables_are_said_not_to_be_comparable(capsys: pytest.CaptureFixture[str]) -> None:
    print_board([group(RUN), group(BARE, metric="accuracy")], as_json=False)
    out = capsys.readouterr()
    assert [line for line in out.out.splitlines() if "plan" in line] == [
        "macro_f1, plan 01234567",
        "accuracy, plan 01234567",
    ]
    assert out.err.startswith("2 tables: scores of another metric, or on other images or folds")


def test_json_holds_every_value_and_null_for_what_is_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_board([group(SENT)], as_json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {
        "metric": "macro_f1",
        "greater_is_better": True,
        "plan": "0123456789abcdef",
        "entries": [
            {
                "name": "toy", "kind": "submission", "raw": 0.81, "honest": 0.79, "low": 0.7,
                "high": 0.875, "folds": None, "public": 0.7264, "private": 0.71,
                "note": "partial.",
            }
        ],
    }  # fmt: skip


def test_a_panel_for_each_group_with_a_leaderboard_score(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = keep_figures(monkeypatch, board)
    draw_board([group(RUN, SENT), group(BARE, metric="accuracy")], Path("unused.png"))
    (panel,) = figures[0].axes
    assert [text.get_text() for text in panel.texts] == ["toy"]
    assert panel.texts[0].xy == (0.79, 0.7264)
    assert panel.get_xlabel() == "out of fold, honest macro_f1, with its 95 % interval"
    assert panel.get_ylabel() == "public leaderboard (plan 01234567)"
    (diagonal,) = [line for line in panel.lines if line.get_linestyle() == ":"]
    assert diagonal.get_xydata().tolist() == [[0.7, 0.7], [0.875, 0.875]]
    (bar,) = [c for c in panel.collections if len(c.get_segments()) == 1]
    assert bar.get_segments()[0].tolist() == [[0.7, 0.7264], [0.875, 0.7264]]


def test_nothing_is_drawn_without_a_score_of_both_kinds(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`comp board score NAME 0\.7264`"):
        draw_board([group(RUN, BARE)], tmp_path / "board.png")
    assert list(tmp_path.iterdir()) == []


def test_the_board_draws_names_of_any_script(tmp_path: Path) -> None:
    entry = BoardEntry("과일 🍎", "run", 0.5, 0.5, 0.4, 0.6, 0.5, 0.7, 0.7, "")
    draw_board([group(entry)], tmp_path / "판 🍎.png")
    assert (tmp_path / "판 🍎.png").read_bytes().startswith(b"\x89PNG")
