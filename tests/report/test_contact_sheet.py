from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comp.core.errors import CompError, UsageError
from comp.report.contact_sheet import contact_sheet

DRAW = np.random.default_rng(0)


def some(count: int, height: int = 100, width: int = 120) -> list[np.ndarray]:
    return [DRAW.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def written(path: Path) -> np.ndarray:
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        return np.array(sheet)


def holds(sheet: np.ndarray, image: np.ndarray) -> tuple[int, int]:
    """Where the image lies on the sheet: (top, left)."""
    corners = np.argwhere((sheet == image[0, 0]).all(axis=2))
    height, width = image.shape[:2]
    for top, left in corners:
        if np.array_equal(sheet[top : top + height, left : left + width], image):
            return int(top), int(left)
    pytest.fail("the image is not on the sheet")


def test_every_image_is_on_the_sheet_in_reading_order(tmp_path: Path) -> None:
    images = some(5)
    contact_sheet(images, [f"title {n}" for n in range(5)], tmp_path / "a.png", columns=3)
    places = [holds(written(tmp_path / "a.png"), image) for image in images]
    assert places == sorted(places)
    assert len({top for top, _ in places}) == 2
    assert [left for _, left in places[:2]] == [left for _, left in places[3:]]


def test_images_of_other_sizes_fit_beside_each_other(tmp_path: Path) -> None:
    images = [*some(1, 100, 30), *some(1, 20, 140)]
    contact_sheet(images, ["tall", "wide"], tmp_path / "a.png", columns=2)
    sheet = written(tmp_path / "a.png")
    (_, first), (_, second) = (holds(sheet, image) for image in images)
    assert first + 30 <= second


def test_small_images_are_magnified_by_a_whole_number(tmp_path: Path) -> None:
    image = some(1, 8, 8)[0]
    contact_sheet([image], ["digit"], tmp_path / "a.png", columns=1)
    holds(written(tmp_path / "a.png"), image.repeat(12, axis=0).repeat(12, axis=1))


def test_titles_are_drawn_and_cut_to_their_cell(tmp_path: Path) -> None:
    white = [np.full((96, 96, 3), 255, dtype=np.uint8)] * 2
    contact_sheet(white, ["x" * 500, ""], tmp_path / "a.png", columns=2)
    sheet = written(tmp_path / "a.png")
    middle = sheet.shape[1] // 2
    assert (sheet[:, :middle] < 128).any()
    assert (sheet[:, middle:] == 255).all()


@pytest.mark.parametrize("title", ["표면 결함", "two\nlines", "🙂", ""])
def test_no_title_is_too_strange(tmp_path: Path, title: str) -> None:
    image = some(1)[0]
    contact_sheet([image], [title], tmp_path / "한글 시트.png", columns=4)
    holds(written(tmp_path / "한글 시트.png"), image)


@pytest.mark.parametrize(("count", "titles", "columns"), [(0, 0, 3), (2, 1, 3), (2, 2, 0)])
def test_a_sheet_that_cannot_be_laid_out_is_refused(
    tmp_path: Path, count: int, titles: int, columns: int
) -> None:
    message = f"{count} images, {columns} columns, {titles} titles"
    with pytest.raises(UsageError, match=message):
        contact_sheet(some(count), ["t"] * titles, tmp_path / "a.png", columns=columns)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(CompError, match=r"a\.png: cannot be written"):
        contact_sheet(some(1), ["t"], tmp_path / "a.png", columns=1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
