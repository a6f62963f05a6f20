"""Every target of the table is whole."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from ship_toys import toy_order

from comp.bundles.targets.packages import needs_of
from comp.bundles.targets.table import TARGETS


def test_the_targets_are_those_of_the_command() -> None:
    assert [*TARGETS] == ["kaggle", "dacon", "drivendata", "grand-challenge", "docker"]


@pytest.mark.parametrize("name", TARGETS)
def test_what_an_image_has_is_what_comp_needs(name: str) -> None:
    needs = {canonicalize_name(need.name) for need in needs_of("comp")}
    assert {canonicalize_name(has) for has in TARGETS[name].has} <= needs
    assert all(metadata.version(has) for has in TARGETS[name].has)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_says_how_it_is_sent(
    name: str, shipped: Callable[[str], Path], tmp_path: Path
) -> None:
    order = toy_order(shipped("binary") / "bundles/toy_binary")
    lines = TARGETS[name].next(order, tmp_path / "a b")
    assert lines
    assert "a b" in lines[0]
