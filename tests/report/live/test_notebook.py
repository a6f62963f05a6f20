"""The output of a notebook: text of names, styles that stay inside."""

from __future__ import annotations

import re
import sys
import types
from typing import Any

import pytest
from live_toys import fold, run

from comp.report.live.notebook import NotebookPicture
from comp.report.run.page import asset


def test_names_are_text_and_one_output_is_kept_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []
    display: Any = types.ModuleType("IPython.display")
    display.HTML = str
    handle = types.SimpleNamespace(update=lambda html: calls.append(("update", html)))

    def first(html: str, display_id: bool) -> Any:
        calls.append(("display", html))
        return handle if display_id else None

    display.display = first
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    picture = NotebookPicture()
    for epochs in (1, 2):
        picture.show([run(fold(0, epochs=epochs, name="<script>x</script>"))])
    assert [what for what, _ in calls] == ["display", "update"]
    assert "<script" not in calls[1][1]
    assert "&lt;script&gt;" in calls[1][1]
    assert "1/4" in calls[0][1]
    assert "2/4" in calls[1][1]


def test_its_style_changes_nothing_outside_of_it() -> None:
    rules = re.sub(r"\{[^}]*\}", "\n", asset("live.css")).replace(",", "\n").splitlines()
    selectors = [rule.strip() for rule in rules if rule.strip()]
    assert len(selectors) > 20
    assert all(selector.startswith(".comp-live") for selector in selectors)


def test_a_line_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    NotebookPicture().above("a note")
    assert capsys.readouterr().err == "a note\n"
