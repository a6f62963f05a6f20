"""Templates get every value that they name, and nothing is escaped."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from comp.bundles.rendering import render


def test_texts_are_not_escaped_and_python_gets_literals() -> None:
    values = {
        "name": "a\"b'<&",
        "runs": {"r": "0,1"},
        "refits": {},
        "images": "i",
        "samples": ["s"],
    }
    text = render("winner_common.py", **values)
    found: dict[str, object] = {"__file__": "x"}
    exec(compile(text, "common", "exec"), found)
    assert (found["NAME"], found["RUNS"]) == (values["name"], {"r": "0,1"})
    assert render("winner_entry_points.md", file="<a&b>").count("`SUBMISSION_DIR/<a&b>`") == 1


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'file' is undefined"):
        render("winner_entry_points.md")
