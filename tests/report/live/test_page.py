"""The page of `comp watch` as text; in a browser it is tested where it is served."""

from __future__ import annotations

from live_toys import fold, run, waits

from comp.report.live.page import charts_of, parts, title, watch_page
from comp.report.live.rows import Picture

HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
PICTURE = Picture("epoch_002.png", 17, "fold 0, epoch 2: worst images")


def test_every_part_is_in_the_page_and_names_are_text() -> None:
    runs = [
        run(fold(0, picture=PICTURE, note=HOSTILE), waits(1), name=HOSTILE),
        run(name="b", note=HOSTILE),
    ]
    page, found = watch_page(runs, 2.0), parts(runs)
    assert len(found) == 10
    for key, html in found.items():
        assert f'id="{key}"' in page
        assert html in page
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror") > 4
    assert 'data-milliseconds="2000"' in page


def test_numbers_of_a_fold_stand_in_its_row() -> None:
    folds = parts([run(fold(0, device_memory=10**9, device_total=8 * 10**9), waits(1))])[
        "run-0-folds"
    ]
    for text in ("2 of 4, step 5 of 10", "0.7000", "epoch 2", "0.5500", "1234", "2.00 GB",
                 "1.00 GB", "of 8.00 GB", "process 7 on here", "0 of 4", "waiting"):  # fmt: skip
        assert text in folds
    assert "device" not in parts([run(fold(0))])["run-0-folds"]


def test_a_picture_is_asked_for_anew_when_it_changed() -> None:
    found = parts([run(waits(0), fold(1, picture=PICTURE))])["run-0-pictures"]
    assert found.count("picture/0/1/epoch_002.png?17") == 2
    assert 'alt="fold 0, epoch 2: worst images"' in found


def test_curves_begin_with_an_epoch_and_refits_have_their_name() -> None:
    assert charts_of([waits(0)], "macro_f1") == []
    assert "Curves begin" in parts([run(waits(0))])["run-0-curves"]
    charts = dict(charts_of([fold(0), fold(1, name="refit 0")], "macro_f1"))
    assert set(charts) == {"Loss", "Score", "Learning rate"}
    assert "refit 0" in charts["Score"]


def test_the_title_says_how_far_all_is() -> None:
    assert title([run(fold(0, "done", 4), fold(1, step=0), name="a")]) == "75% a"
    assert title([run(name="a"), run(name="b")]) == "0% a, b"
