from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comp.core.errors import DataError
from comp.data.bags.collect import answered, bagged, torn_labels, with_images
from comp.data.index.index import Index


def images(**values: object) -> Index:
    """Images 0..5 of the bags p (4, 0, 2 in this order), q (1, 5), r (3)."""
    ids = tuple(f"i{number}" for number in range(6))
    places = (("p", 1), ("q", 0), ("p", 2), ("r", 0), ("p", 0), ("q", 3))
    target = np.array([1, 0, 1, 1, 1, 0])
    made = Index(ids, tuple(Path(f"{n}.png") for n in ids), ("a", "b"), target, places=places)
    return replace(made, **values)  # type: ignore[arg-type]


def test_a_row_is_a_bag_with_its_images_in_order() -> None:
    bags = bagged(images())
    assert bags.ids == ("p", "q", "r")
    assert bags.bags is not None
    assert bags.bags.names() == [["i4", "i0", "i2"], ["i1", "i5"], ["i3"]]
    assert bags.labels.tolist() == [1, 0, 1]
    assert [path.name for path in bags.paths] == ["i0.png", "i5.png", "i3.png"]
    assert bags.images.ids == images().ids


def test_images_of_one_bag_with_several_labels_are_refused() -> None:
    torn = images(target=np.array([1, 0, 0, 1, 1, 0]))
    with pytest.raises(DataError, match=r"(?s)1 of 3 bags .*'p' \('a', 'b'\)"):
        bagged(torn)
    assert torn_labels(images()) == []


def test_bags_that_share_a_group_are_of_one_group() -> None:
    bags = bagged(images(groups=("g", "h", "g", "h", "k", "h")))
    assert bags.groups is not None
    p, q, r = bags.groups
    assert q == r == "h"
    assert p != q
    joined = bagged(images(groups=("g", "h", "g", "k", "h", "k")))
    assert joined.groups is not None
    assert len({*joined.groups}) == 1


def test_the_fingerprint_follows_what_a_bag_holds_and_the_contents_their_order() -> None:
    one = bagged(images())
    turned = bagged(images(places=(("p", 1), ("q", 0), ("p", 2), ("r", 0), ("p", 3), ("q", 3))))
    moved = bagged(images(places=(("p", 1), ("q", 0), ("p", 2), ("p", 9), ("r", 0), ("q", 3))))
    assert turned.fingerprint == one.fingerprint != moved.fingerprint
    assert one.marks[2].startswith("1 images ")


def test_contents_tell_the_order(tmp_path: Path) -> None:
    paths = tuple(tmp_path / f"{n}.png" for n in range(6))
    for path in paths:
        path.write_bytes(path.name.encode())
    turned = (("p", 1), ("q", 0), ("p", 2), ("r", 0), ("p", 3), ("q", 3))
    found = [
        bagged(images(paths=paths, **more)).contents(tmp_path)
        for more in ({}, {}, {"places": turned})
    ]
    assert found[0] == found[1] != found[2]


def test_answers_are_bags_or_images_with_the_answer_of_their_bag() -> None:
    test = images(target=None)
    as_bags = answered(test, ["q", "p"])
    assert as_bags.ids == ("p", "q")
    assert as_bags.bags is not None
    assert as_bags.bags.rows == ((4, 0, 2), (1, 5))
    as_images = answered(test, ["i5", "i3"])
    assert as_images.ids == ("i3", "i5")
    assert as_images.bags is not None
    assert as_images.bags.rows == ((3,), (1, 5))
    with pytest.raises(DataError, match=r"1 of 2 ids .* no bags of test images .*'x'"):
        answered(test, ["p", "x"])


def test_other_images_stand_in_the_same_rows() -> None:
    bags = bagged(images())
    grey = replace(bags.images, paths=(Path("grey.png"),) * 6)
    assert {path.name for path in with_images(bags, grey).paths} == {"grey.png"}


def test_a_part_keeps_its_bags() -> None:
    some = bagged(images()).part([1, 2])
    assert some.bags is not None
    assert some.bags.names() == [["i1", "i5"], ["i3"]]
