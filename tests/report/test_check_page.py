"""The page of `comp check`."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from comp.data.images.pixel_form import PixelForm
from comp.data.images.reading import read_picture_of
from comp.data.index.index import Index
from comp.data.index.masks import Masks
from comp.report.check_page import write_check_page
from comp.report.overlay import colour_of


def index_of(folder: Path, names: list[str], target: Any = None) -> Index:
    folder.mkdir()
    paths = []
    for number, name in enumerate(names):
        paths.append(folder / f"{name}.png")
        cv2.imencode(".png", np.full((20, 30, 3), 20 * number, np.uint8))[1].tofile(paths[-1])
    return Index(tuple(names), tuple(paths), ("고양이", "dog"), target)


def record(**over: Any) -> dict[str, Any]:
    part = {"images": 3, "unreadable": 0, "formats": {"PNG": 3}, "channel means": [0.1, 0.2, 0.3]}
    plain = {
        "comp": "0.2.0", "train": part, "test": part, "findings": [], "copies": [],
        "proposals": [], "classes": {"고양이": 2, "dog": 1}, "masks": None, "together": None,
    }  # fmt: skip
    return {**plain, **over}


def page(folder: Path, **over: Any) -> str:
    train = index_of(folder / "train", ["a", "b", "c"], np.array([0, 0, 1]))
    test = index_of(folder / "test", ["t"])
    write_check_page(folder / "page.html", "<pets>", record(**over), train, test)
    return (folder / "page.html").read_text(encoding="utf-8")


def test_a_clean_data_set_has_no_findings_and_no_pictures(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "&lt;pets&gt;" in text
    assert "None: every image is readable" in text
    assert "고양이" in text
    assert "data:image" not in text


def test_findings_and_groups_show_their_images(tmp_path: Path) -> None:
    finding = {"level": "warning", "text": "two <labels>", "ids": ["a", "b"]}
    group = {"name": "g1", "ids": ["a", "c"], "test_ids": ["t"], "confidence": 0.875,
             "kinds": ["turned"]}  # fmt: skip
    text = page(tmp_path, findings=[finding], proposals=[group])
    assert "two &lt;labels&gt;" in text
    assert "0 errors, 1 warnings, 0 notes" in text
    assert "the same frame rotated or flipped" in text
    assert text.count("data:image/jpeg;base64,") == 2 + 3
    assert 'class="test"' in text


class Square:
    """A mask of class 2 in a corner."""

    def digest(self) -> str:
        return "square"

    def objects(self) -> np.ndarray[Any, Any]:
        return np.array([0, 1])

    def read(self) -> np.ndarray[Any, Any]:
        mask = np.zeros((20, 30, 1), dtype=np.uint8)
        mask[:10, :10] = 2
        return mask


def test_masks_are_shown_with_the_colour_of_each_class(tmp_path: Path) -> None:
    train = index_of(tmp_path / "train", ["a", "b", "c"], np.array([[0, 1], [0, 1], [0, 0]]))
    train = replace(train, masks=Masks([Square()] * 3, 1))
    one = {"images": 2, "objects": 2, "pixels": 0.1, "of an image": 0.15}
    masks = {"classes": {"고양이": one, "dog": one}, "background": 0.9, "not judged": 0.0,
             "images without anything": 1}  # fmt: skip
    path = tmp_path / "page.html"
    write_check_page(path, "x", record(masks=masks), train, index_of(tmp_path / "test", []))
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 3
    for number, name in enumerate(train.classes, 1):
        assert f"rgb{colour_of(number)}" in text
        assert f"</span>{name}" in text


def test_pictures_of_twelve_bits_are_as_bright_as_the_network_sees_them(tmp_path: Path) -> None:
    train = index_of(tmp_path / "train", ["a"], np.array([0]))
    test = index_of(tmp_path / "test", ["t"])
    cv2.imencode(".png", np.full((20, 30), 2048, np.uint16))[1].tofile(train.paths[0])
    found = [{"level": "note", "text": "look", "ids": ["a"], "kind": "x"}]
    path = tmp_path / "page.html"
    read = partial(read_picture_of, form=PixelForm(span=(0.0, 4095.0)))
    write_check_page(path, "x", record(findings=found), train, test, read)
    coded = re.findall(r"data:image/jpeg;base64,([^\"]+)", path.read_text(encoding="utf-8"))
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(coded[0]), np.uint8), cv2.IMREAD_COLOR)
    assert abs(float(shown.mean()) - 128) < 3
