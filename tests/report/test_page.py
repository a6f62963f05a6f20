"""Pages and the pictures in them."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from comp.report.page import embedded, part, rendered, shrunk, words, write_page


def test_an_embedded_picture_is_the_picture() -> None:
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[:, :15] = (250, 10, 10)
    head, _, data = embedded(pixels).partition(",")
    assert head == "data:image/jpeg;base64"
    back = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert back is not None
    assert back.shape == pixels.shape
    assert np.abs(back.astype(int) - pixels)[:, [0, 29]].max() < 20


def test_the_longer_side_is_as_given_and_masks_keep_their_numbers() -> None:
    mask = np.zeros((40, 100), dtype=np.uint8)
    mask[:, 50:] = 7
    assert shrunk(mask, 50, mask=True).shape == (20, 50)
    assert set(np.unique(shrunk(mask, 33, mask=True))) == {0, 7}
    assert shrunk(np.zeros((10, 5, 3), np.uint8), 100).shape == (100, 50, 3)


def test_names_are_escaped(tmp_path: Path) -> None:
    write_page(tmp_path / "x.html", "validation", name="<b>글자", metric="m", score=0.5, images=1,
               heads=(), classes=[], kinds={})  # fmt: skip
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;글자: out of fold" in text
    assert "<b>글자" not in text


def test_what_turns_or_steers_letters_is_written_out(tmp_path: Path) -> None:
    write_page(tmp_path / "x.html", "validation", name="a\x1b[31m\u202eb", metric="m", score=0.5,
               images=1, heads=(), classes=[], kinds={})  # fmt: skip
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert r"a\x1b[31m\u202eb: out of fold" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_what_stands_in_backticks_is_code_and_the_rest_is_text() -> None:
    assert words("run `comp <x>` & see") == "run <code>comp &lt;x&gt;</code> &amp; see"
    assert words("plain\x1b") == "plain\\x1b"


def test_a_part_is_what_its_page_would_show(tmp_path: Path) -> None:
    assert part("live", "number", None, 3) == "–"
    assert part("live", "number", float("nan"), 3) == "–"
    assert part("live", "number", 0.25, 3) == "0.250"
    values = {"name": "a", "metric": "m", "score": 0.5, "images": 1, "heads": (), "classes": [],
              "kinds": {}}  # fmt: skip
    write_page(tmp_path / "x.html", "validation", **values)
    assert (tmp_path / "x.html").read_text(encoding="utf-8") == rendered("validation", **values)
