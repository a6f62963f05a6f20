"""Layouts from a user's own function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from layout_toys import touch

from comp.config.schema import DataConfig
from comp.core.errors import ConfigError, DataError
from comp.data.index.index import Index
from comp.data.layouts.custom import custom_layout
from comp.tasks.kinds import TASKS

ROWS: dict[str, Any] = {
    "id": ["b", "a", "c"],
    "path": ["two/b.png", "one/a.png", "two/c.png"],
    "label": ["dog", "cat", "dog"],
}


@pytest.fixture(autouse=True)
def _images(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS["path"])


def data_of(folder: Path, **keys: Any) -> DataConfig:
    return DataConfig(root=str(folder), layout="mine", **keys)


def index_of(folder: Path, task: str = "multiclass", **columns: Any) -> Index:
    """The index of these columns laid over ROWS."""
    layout = custom_layout("mine", lambda root, data: pd.DataFrame({**ROWS, **columns}))
    return layout.train(data_of(folder), TASKS[task])


def test_the_rows_of_the_function_become_an_index_sorted_by_id(tmp_path: Path) -> None:
    index = index_of(tmp_path, group=["q", "p", "q"])
    assert index.ids == ("a", "b", "c")
    assert index.paths == tuple(tmp_path / p for p in ("one/a.png", "two/b.png", "two/c.png"))
    assert (index.classes, index.labels.tolist()) == (("cat", "dog"), [0, 1, 1])
    assert index.groups == ("p", "q", "q")
    assert index_of(tmp_path).groups is None


def test_the_function_is_given_the_root_and_the_config_of_the_data(tmp_path: Path) -> None:
    seen: list[Any] = []

    def read(root: Path, data: DataConfig) -> pd.DataFrame:
        seen.append((root, data))
        return pd.DataFrame(ROWS)

    data = data_of(tmp_path, train_csv="rows.csv")
    custom_layout("mine", read).train(data, TASKS["multiclass"])
    assert seen == [(tmp_path, data)]


def test_columns_of_the_config_are_not_those_of_the_function(tmp_path: Path) -> None:
    """`data.id` and `data.target` name columns of a table; the function has its own names."""
    layout = custom_layout("mine", lambda root, data: pd.DataFrame(ROWS))
    data = data_of(tmp_path, id="label", target=("breed",))
    assert layout.train(data, TASKS["multiclass"]).classes == ("cat", "dog")


def test_ids_and_labels_that_are_numbers_become_text(tmp_path: Path) -> None:
    index = index_of(tmp_path, "binary", id=[3, 10, 2], label=[1, 0, 1])
    assert (index.ids, index.classes) == (("10", "2", "3"), ("0", "1"))
    assert index.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("separator", "labels"), [(None, "x|y"), (",", "x,y")])
def test_several_labels_are_cut_at_the_separator(
    tmp_path: Path, separator: str | None, labels: str
) -> None:
    rows = {**ROWS, "label": [labels, "x", "y"]}
    layout = custom_layout("mine", lambda root, data: pd.DataFrame(rows))
    index = layout.train(data_of(tmp_path, separator=separator), TASKS["multilabel"])
    assert index.classes == ("x", "y")
    assert index.target is not None
    assert index.target.tolist() == [[1, 0], [1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([("a", "a.png", "cat")], r"layout 'mine': it gives a list, not a DataFrame"),
        (
            pd.DataFrame({"id": ["a"], "file": ["a.png"]}),
            r"layout 'mine': its DataFrame has no column path, label; it has id, file",
        ),
    ],
)
def test_what_is_no_such_table_is_an_error_of_the_function(
    tmp_path: Path, frame: Any, message: str
) -> None:
    layout = custom_layout("mine", lambda root, data: frame)
    with pytest.raises(ConfigError, match=message):
        layout.train(data_of(tmp_path), TASKS["multiclass"])


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        index_of(
            tmp_path,
            id=["a", "a", ".."],
            path=["one/a.png", "one/z.png", "two/c.png"],
            label=["cat", "dog", None],
            group=["p", float("nan"), None],
        )
    assert [line.strip(" -") for line in str(caught.value).splitlines()] == [
        "layout 'mine': not a table of training images:",
        "row 2: the id '..' leads out of the folder of images",
        "the id 'a' is in several rows",
        "1 rows have no label: lines 2",
        f"no such file: {tmp_path / 'one/z.png'}",
    ]


def test_a_frame_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)not a table of training images:.*no rows"):
        index_of(tmp_path, id=[], path=[], label=[])


def test_the_test_images_lie_where_the_layout_or_the_config_says(tmp_path: Path) -> None:
    data = data_of(tmp_path, test_images="exam")
    for folder, expected in ((None, "exam"), ("quiz/images", "quiz/images")):
        layout = custom_layout("mine", lambda root, data: pd.DataFrame(ROWS), folder)
        assert layout.test_images(data) == tmp_path / expected
        assert (layout.lacks(data), layout.needs_sample) == ([], False)
