"""What a check prints: counts, then findings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from report_toys import cells

from comp.check.findings import Finding
from comp.report.console.findings import print_check


def part(images: int, **over: Any) -> dict[str, Any]:
    return {
        "images": images,
        "unreadable": 0,
        "formats": {"png": images},
        "modes": {"RGB": images},
        "channel means": [0.5, 0.25, 0.125],
        "channel deviations": [0.1, 0.2, 0.3],
        **over,
    }


def record(**over: Any) -> dict[str, Any]:
    train = part(12, unreadable=1, formats={"png": 11, "jpeg": 1})
    return {"train": train, "test": part(4), "classes": {"cat": 8, "dog": 4}, **over}


def test_training_and_test_images_are_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    print_check(record(), (), as_json=False)
    out = capsys.readouterr().out
    assert cells(out) == [
        ["images", "12", "4"],
        ["unreadable", "1", "0"],
        ["formats", "png 11, jpeg 1", "png 4"],
        ["modes", "RGB 12", "RGB 4"],
        ["channel means", *["0.500 0.250 0.125"] * 2],
        ["channel deviations", *["0.100 0.200 0.300"] * 2],
    ]
    assert out.splitlines()[-1] == "classes: cat 8, dog 4"


def test_many_classes_are_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    print_check(record(classes=dict.fromkeys("abcdefghijkl", 1)), (), as_json=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "classes: a 1, b 1, c 1, d 1, e 1, f 1, g 1, h 1, i 1, j 1 and 2 more"


def test_masks_have_a_row_per_class_and_the_pixels_of_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dent = {"images": 3, "objects": 5, "pixels": 0.125, "of an image": 0.25}
    masks = {"classes": {"dent": dent}, "background": 0.75, "not judged": 0.125,
             "images without anything": 2}  # fmt: skip
    print_check(record(masks=masks), (), as_json=False)
    out = capsys.readouterr().out
    assert cells(out)[-3:] == [
        ["dent", "3", "5", "12.50 %", "25.00 %"],
        ["background", "", "", "75.00 %", ""],
        ["ignored", "", "", "12.50 %", ""],
    ]
    assert out.splitlines()[-1] == "images with an empty mask: 2"


def test_findings_about_single_images_are_cut_after_twelve_of_a_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings = (
        *(Finding("error", f"image {n} is torn", (str(n),)) for n in range(14)),
        Finding("error", "two images are one", ("1", "2")),
        Finding("note", "image 7 is large", ("7",)),
    )
    print_check(record(), findings, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-15:] == [
        *(f"error: image {n} is torn" for n in range(12)),
        "error: two images are one",
        "note: image 7 is large",
        "error: ... and 2 more about single images (on the page)",
    ]


def test_json_is_the_record_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_check(record(), (Finding("note", "x"),), as_json=True)
    assert json.loads(capsys.readouterr().out) == record()
