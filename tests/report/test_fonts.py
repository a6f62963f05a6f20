"""Letters of any script are drawn with what the machine has, or as boxes; never with a warning."""

from __future__ import annotations

import warnings

import pytest
from PIL import ImageFont

from comp.report.fonts import any_script, font_for


def fonts_that_are_there(monkeypatch: pytest.MonkeyPatch, *there: str) -> list[str]:
    """The files that Pillow is asked for from now on; only some of them exist."""
    tried: list[str] = []

    def truetype(name: str, size: int) -> tuple[str, int]:
        tried.append(name)
        if name not in there:
            raise OSError("cannot open resource")
        return name, size

    monkeypatch.setattr(ImageFont, "truetype", truetype)
    monkeypatch.setattr(ImageFont, "load_default", lambda size: ("own", size))
    return tried


def test_ascii_is_drawn_with_pillows_own_font(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = fonts_that_are_there(monkeypatch, "NanumGothic.ttf")
    assert font_for(["cat", "dog 1"], 13) == ("own", 13)
    assert tried == []


def test_other_scripts_are_drawn_with_the_first_font_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = fonts_that_are_there(monkeypatch, "AppleGothic.ttf", "NotoEmoji-Regular.ttf")
    assert font_for(["cat", "사과"], 13) == ("AppleGothic.ttf", 13)
    assert tried == ["NanumGothic.ttf", "malgun.ttf", "AppleGothic.ttf"]


def test_without_such_a_font_pillows_own_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = fonts_that_are_there(monkeypatch)
    assert font_for(["사과"], 9) == ("own", 9)
    assert len(tried) == len({*tried}) == 5  # one file has two families: it is tried once


def test_matplotlib_gets_its_own_font_first_and_what_was_set_comes_back() -> None:
    import matplotlib

    with matplotlib.rc_context({"font.family": ["serif"]}):
        with any_script():
            assert matplotlib.rcParams["font.family"][0] == "DejaVu Sans"
        assert matplotlib.rcParams["font.family"] == ["serif"]


def test_a_letter_without_a_font_costs_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with any_script():
            warnings.warn("Glyph 49324 missing from font(s) DejaVu Sans.", stacklevel=1)
        with pytest.raises(UserWarning, match="again"):  # as before
            warnings.warn("again", stacklevel=1)
