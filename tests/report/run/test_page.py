"""The page of a run, as text and in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answer_toys import answers, curve, six

from comp.ensemble.compare import Scores
from comp.ensemble.label_issues import LabelIssue
from comp.report.page import embedded
from comp.report.run.answers import OofAnswers
from comp.report.run.page import MaskPart, RunFacts, drawn_part, write_run_page
from comp.report.run.tables import Slice

HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
PICTURE = embedded(np.full((8, 8, 3), 90, np.uint8))


def facts(*curves: Any, name: str = "toy") -> RunFacts:
    return RunFacts(name, "multiclass", "macro_f1", True, {"model": "resnet18"}, curves)


def hostile() -> OofAnswers:
    """Twelve classes, so that there is a filter; one has a name that is markup."""
    draw = np.random.default_rng(1)
    target = np.arange(48) % 12
    probs = draw.dirichlet(np.ones(12), 48) + 0.25 * np.eye(12)[target]
    names = (HOSTILE, *(f"class {n}" for n in range(1, 12)))
    issue = LabelIssue(0, "000", "", HOSTILE, "class 1", -0.9, True)
    return answers(
        "multiclass", target, probs / 1.25, names, groups=[f"g{row % 5}" for row in range(48)],
        ids=[f"{HOSTILE}{row:02d}" for row in range(48)], issues=[issue],
    )  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with every part of a classification, and hostile names."""
    path = tmp_path / "report.html"
    slices = [Slice("brightness", "lowest fifth", 9, 0.2, 0.1, 0.3, 0.9, 9)]
    write_run_page(
        path, facts(curve(0), curve(1), name=HOSTILE), hostile(),
        picture=lambda row: PICTURE, maps=lambda rows: {rows[0]: PICTURE}, slices=slices,
    )  # fmt: skip
    return path


def test_the_page_says_what_its_numbers_say(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    shown = write_run_page(path, facts(curve(0), curve(1)), six())
    text = path.read_text(encoding="utf-8")
    assert shown.sentences[0].startswith(
        "macro_f1 0.6667 (95 % interval 0.6467 to 0.6867, from 6 images only, so it is too "
        "narrow), on 6 out-"
    )
    assert all(sentence in text for sentence in shown.sentences)
    assert "train longer (train.epochs above 2)" in text
    assert [row.name for row in shown.classes] == ["a", "b", "c"]
    assert [(pair.truth, pair.said) for pair in shown.pairs] == [(0, 1), (2, 1)]
    assert shown.gallery[:2] == [5, 3]
    for part in ("curves", "classes", "confusions", "certainty", "slices", "images"):
        assert f'<a href="#{part}">' in text
        assert f'<h2 id="{part}">' in text


def test_without_answers_there_are_curves_and_words_only(tmp_path: Path) -> None:
    shown = write_run_page(tmp_path / "report.html", facts(curve(0)))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert shown.sentences == [
        "1 fold of 2 epochs in 30 s (30 s per fold); best epochs 2, with macro_f1 0.7000."
    ]
    assert 'id="curves"' in text
    assert not re.search('id="(classes|confusions|slices|images|masks)"', text)


def test_numbers_and_masks_have_their_own_parts(tmp_path: Path) -> None:
    target = np.linspace(0, 1, 8)[:, None]
    found = answers("regression", target, target + 0.1 * (target > 0.9), ("age",), "rmse")
    shown = write_run_page(tmp_path / "a.html", facts(), found)
    assert [row.name for row in shown.classes] == ["age"]
    assert 'id="numbers"' in (tmp_path / "a.html").read_text(encoding="utf-8")
    table = {"heads": ("images",), "classes": [{"name": "dent", "colour": (1, 2, 3), "images": 4,
             "scores": ["0.5"]}], "kinds": {"worst": []}}  # fmt: skip
    masks = MaskPart(Scores(0.1, 0.1, 0.1, 0.05, 0.2), 4, table, {"dent": 0.01})
    shown = write_run_page(tmp_path / "b.html", facts(curve(0)), masks=masks)
    assert "1 of 1 classes are hardly found: 'dent'" in shown.hints[-1]
    assert "rgb(1, 2, 3)" in (tmp_path / "b.html").read_text(encoding="utf-8")


def test_the_page_asks_the_network_for_nothing_and_runs_its_own_script_only(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:image/jpeg;base64,|#)', text)
    assert "default-src 'none'" in text
    assert text.count("<script>") == 1


def test_of_many_classes_those_with_the_most_errors_are_drawn() -> None:
    table = 5 * np.eye(50, dtype=int)
    table[7, 8] = 3
    drawn, names = drawn_part(table, [str(n) for n in range(50)])
    assert drawn.shape == (40, 40)
    assert {"7", "8"} <= {*names}


def test_a_thousand_classes_make_a_page_of_two_megabytes_at_most(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    target = np.arange(2000) % 1000
    probs = (
        draw.random((2000, 1000)) + 2 * (draw.random(2000) < 0.7)[:, None] * np.eye(1000)[target]
    )
    probs /= probs.sum(axis=1, keepdims=True)
    found = answers("multiclass", target, probs, [f"class {n}" for n in range(1000)])
    write_run_page(tmp_path / "report.html", facts(curve(0)), found)
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


@pytest.mark.parametrize("width", [360, 820, 1280])
def test_a_browser_shows_names_as_text_without_errors(
    page: Path, opened: Callable[..., Any], width: int
) -> None:
    shown = opened(page, width)
    assert shown.title() == f"{HOSTILE}: report"
    assert shown.locator("h1").inner_text() == HOSTILE
    assert shown.locator("#class-table tbody tr").first.locator("td").first.inner_text() == HOSTILE
    room = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert shown.evaluate(room) == 0


def test_tables_sort_and_filter_by_keyboard(page: Path, opened: Callable[..., Any]) -> None:
    shown = opened(page)
    head = shown.locator("#class-table thead th").nth(5)
    head.locator("button").focus()
    shown.keyboard.press("Enter")
    rows = shown.locator("#class-table tbody tr td:nth-child(6)").all_inner_texts()
    assert rows == sorted(rows)
    assert head.get_attribute("aria-sort") == "ascending"
    shown.keyboard.press("Enter")
    falling = shown.locator("#class-table tbody tr td:nth-child(6)").all_inner_texts()
    assert falling == sorted(rows, reverse=True)
    shown.locator("h1").click()
    shown.keyboard.press("/")
    shown.keyboard.type("class 1")
    left = shown.locator("#class-table tbody tr:visible td:first-child").all_inner_texts()
    assert sorted(left) == ["class 1", "class 10", "class 11"]
    assert shown.locator("#class-table-count").inner_text() == "3 of 12"


def test_the_gallery_filters_by_kind_and_orders_by_id(
    page: Path, opened: Callable[..., Any]
) -> None:
    shown = opened(page)
    cards = shown.locator("#images-list article")
    assert cards.count() == 40
    shown.select_option("select[name=kind]", "doubted")
    assert shown.locator("#images-list article:visible").count() == 1
    shown.select_option("select[name=kind]", "")
    shown.select_option("select[name=order]", "id up")
    ids = [card.get_attribute("data-id") for card in cards.all()]
    assert ids == sorted(ids)
    shown.select_option("select[name=truth]", "class 3")
    visible = shown.locator("#images-list article:visible")
    assert {card.get_attribute("data-truth") for card in visible.all()} == {"class 3"}
    assert shown.locator("#images-list-count").inner_text() == f"{visible.count()} of 40"


def test_one_class_is_charted_at_a_time(page: Path, opened: Callable[..., Any]) -> None:
    shown = opened(page)
    assert shown.locator("#panels > section:visible").count() == 1
    shown.select_option("select[data-panels]", "class 5")
    assert shown.locator("#panels > section:visible h3").inner_text() == "class 5"


def test_the_page_passes_the_checks_of_axe(
    page: Path, audited: Callable[[Path], list[str]]
) -> None:
    assert audited(page) == []


def test_a_script_that_is_not_the_page_s_own_does_not_run(page: Path, browser: Any) -> None:
    page.write_text(page.read_text(encoding="utf-8").replace(
        "<h1>", "<script>document.title = 'broken'</script><h1>"), encoding="utf-8")  # fmt: skip
    shown = browser.new_page()
    shown.goto(page.resolve().as_uri())
    assert shown.title() != "broken"
    shown.close()


def test_answers_of_another_order_stay_with_their_images(tmp_path: Path) -> None:
    found = replace(six(), ids=["f", "e", "d", "c", "b", "a"])
    write_run_page(tmp_path / "report.html", facts(), found)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    cards = re.findall(r'data-truth="(\w)".*?data-id="(\w)"', text)
    assert cards[:2] == [("c", "a"), ("a", "c")]
