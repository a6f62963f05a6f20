"""The guess that columns of labels are."""

from comp.scaffold.label_columns import LabelColumns
from comp.tasks.kinds import TASKS


def test_nothing_more_is_said_of_columns_that_are_plain() -> None:
    assert LabelColumns(("a",), TASKS["binary"]) == LabelColumns(
        ("a",), TASKS["binary"], None, (), {}
    )
