"""Names of shipments, and what a target cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ship_toys import toy_order

from comp.bundles.targets.target import refuse_unknown_owner, slug
from comp.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("toy_binary", "toy-binary"),
        ("Signs (2nd)", "signs-2nd"),
        ("한글", "comp"),
        ("a" * 60, "a" * 40),
    ],
)
def test_a_slug_is_a_name_that_every_site_takes(text: str, name: str) -> None:
    assert slug(text) == name


def test_names_that_a_target_needs_are_asked_for(shipped: Callable[[str], Path]) -> None:
    bundle = shipped("binary") / "bundles/toy_binary"
    order = toy_order(bundle, owner="", competition="a b")
    assert (order.name, order.file) == ("toy-binary", "submission.csv")
    refuse_unknown_owner("docker", order, ())
    with pytest.raises(UsageError, match="kaggle needs --owner NAME"):
        refuse_unknown_owner("kaggle", order, ("owner",))
    with pytest.raises(UsageError, match="--competition 'a b': no name of an address"):
        refuse_unknown_owner("kaggle", order, ("competition",))
