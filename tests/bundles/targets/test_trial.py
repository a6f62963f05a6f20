"""Shipments are run as their judges run them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from ship_toys import ship_fakes, toy_order

from comp.bundles.targets import trial
from comp.bundles.targets.packages import needs_of
from comp.bundles.targets.sandbox import Ran, lacking_spaces
from comp.bundles.targets.table import TARGETS
from comp.bundles.targets.trial import refuse_untriable, try_shipment
from comp.core.errors import CheckError, CompError, UsageError

LACKING = lacking_spaces()
boxes = pytest.mark.skipif(LACKING is not None, reason=f"no namespaces here: {LACKING}")
Shipped = Callable[[str], Path]


@boxes
@pytest.mark.parametrize("name", TARGETS)
def test_every_shipment_finds_what_its_judge_gives_it(
    name: str, shipped: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package in it is a stand-in that copies the sample: quick, and it needs no torch."""
    ship_fakes(monkeypatch)
    monkeypatch.setattr(trial, "needs_of", lambda _: [])
    root = shipped("binary")
    order, target = toy_order(root / "bundles/toy_binary"), TARGETS[name]
    target.write(order, tmp_path)
    tried = try_shipment(target, order, tmp_path, root / "input")
    said = tried.log.read_text("utf-8")
    sample = (root / "input/sample_submission.csv").read_bytes()
    assert tried.path.read_bytes() == sample.replace(b",0", b",1")
    assert (tried.images, tried.same) == (8, False)
    assert said.count("read-only: ") == (1 if name == "drivendata" else 2)
    assert "'--max-minutes': '1.0'" in said


@boxes
def test_a_shipment_answers_with_the_wheels_inside_alone(shipped: Shipped, tmp_path: Path) -> None:
    """`comp` from its own wheel, without network, not as root: the bytes of the ensemble."""
    root = shipped("regression")
    has = tuple(need.name for need in needs_of("comp"))
    order = toy_order(root / "bundles/toy_regression", has=has, minutes=5.0)
    target = TARGETS["drivendata"]
    target.write(order, tmp_path)
    tried = try_shipment(target, order, tmp_path, root / "input")
    assert tried.path.read_bytes() == (root / "submissions/toy_regression.csv").read_bytes()
    assert (tried.images, tried.same) == (8, True)


@boxes
def test_a_run_that_fails_or_takes_too_long_is_told(
    shipped: Shipped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship_fakes(monkeypatch)
    monkeypatch.setattr(trial, "needs_of", lambda _: [])
    root, target = shipped("binary"), TARGETS["docker"]
    order = toy_order(root / "bundles/toy_binary")
    target.write(order, tmp_path)
    script = tmp_path / "run.py"
    script.write_text("raise SystemExit('no luck')", encoding="utf-8")
    with pytest.raises(CheckError, match=r"try\.log: ended with 1: no luck"):
        try_shipment(target, order, tmp_path, root / "input")
    monkeypatch.setattr(trial, "run_boxed", lambda *_: Ran(0, 1.0))
    with pytest.raises(CheckError, match=r"wrote no submission\.csv"):
        try_shipment(target, order, tmp_path, root / "input")
    monkeypatch.setattr(trial, "run_boxed", lambda *_: Ran(None, 1.0))
    with pytest.raises(CheckError, match="not done within 1 minutes"):
        try_shipment(target, order, tmp_path, root / "input")


def test_what_cannot_be_tried_is_told_before_anything_is_written(
    shipped: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    order = toy_order(shipped("binary") / "bundles/toy_binary", python=here)
    monkeypatch.setattr(trial, "lacking_spaces", lambda: "Operation not permitted")
    with pytest.raises(CompError, match=r"laid out here: Operation not permitted\. It needs Linux"):
        refuse_untriable(order)
    with pytest.raises(UsageError, match=rf"for Python 2\.7, and this is {here}; add --python"):
        refuse_untriable(replace(order, python="2.7"))
    assert metadata.version("comp")
