from pathlib import Path

import numpy as np
import pytest

from comp.config.schema import DataConfig
from comp.data.bags.order import by_columns, by_names, natural
from comp.data.index.tables import make_table


def data(**values: object) -> DataConfig:
    return DataConfig(root="input", bag="patient", **values)  # type: ignore[arg-type]


def table(order: list[str], bags: str = "aabb"):
    cells = {"id": list("wxyz"), "patient": list(bags), "slice": order}
    return make_table(cells, Path("train.csv"))


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["f10", "f9", "f1", "g0", "f010", "f09b2", "f09b10"]
    assert sorted(names, key=natural) == ["f1", "f9", "f09b2", "f09b10", "f010", "f10", "g0"]


def test_a_place_is_by_the_name_within_a_bag() -> None:
    places = by_names(["p", "q", "p"], ["frame_10", "frame_1", "frame_9"])
    assert [bag for bag, _ in places] == ["p", "q", "p"]
    assert places[2][1] < places[0][1]


@pytest.mark.parametrize("order", [["10", "9", "1", "2"], ["1e1", "9", "-1", "0.5"]])
def test_a_column_of_numbers_orders_by_value(order: list[str]) -> None:
    places, complaints = by_columns(table(order), data(bag_order="slice"), list("wxyz"), "t")
    assert complaints == []
    assert places is not None
    ranks = np.array([place for _, place in places])
    assert ranks[1] < ranks[0]
    assert ranks[2] < ranks[3]


def test_a_column_of_texts_orders_by_the_numbers_in_them() -> None:
    found = table(["s10", "s9", "s1", "s2"])
    places, _ = by_columns(found, data(bag_order="slice"), list("wxyz"), "t")
    assert places is not None
    assert places[1][1] < places[0][1]


def test_columns_that_are_missing_are_named_with_the_key() -> None:
    found, complaints = by_columns(
        table(list("1212")), DataConfig(root="i", bag="patien", bag_order="z"), [], "data.test_csv"
    )
    assert found is None
    assert [text.split(":")[0] for text in complaints] == ["data.bag", "data.bag_order"]
    assert "'patient'" in complaints[0]
    assert "data.test_csv" in complaints[0]


def test_images_without_a_bag_and_an_order_that_is_open_are_complaints() -> None:
    found = table(["1", "1", "", "2"], bags="aa b")
    _, complaints = by_columns(found, data(bag_order="slice"), list("wxyz"), "t")
    text = "\n".join(complaints)
    assert "1 images have no bag in 'patient'" in text
    assert "'slice' is empty on lines" in text
    assert "'1' in the bag 'a'" in text
