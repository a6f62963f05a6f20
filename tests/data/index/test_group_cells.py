"""A row without a group is a group of its own, or a complaint."""

import pytest

from comp.config.schema import DataConfig
from comp.data.index.group_cells import read_groups


def test_an_empty_group_is_called_by_its_id(capsys):
    data = DataConfig(root=".", group="g")
    groups, complaints = read_groups(["p", "", " ", "p"], ["a", "p", "b", "c"], [2, 3, 4, 5], data)
    assert (groups, complaints) == (["p", "p_", "b", "p"], [])
    assert "2 rows have no group in 'g': lines 3, 4; each is a group of its own" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("blank", ["own", "refuse"])
def test_whole_columns_are_as_they_are(capsys, blank):
    data = DataConfig(root=".", group="g", group_blank=blank)
    assert read_groups(["p", "q"], ["a", "b"], [2, 3], data) == (["p", "q"], [])
    assert capsys.readouterr().err == ""


def test_it_can_be_refused():
    data = DataConfig(root=".", group="g", group_blank="refuse")
    groups, (complaint,) = read_groups(["", "q"], ["a", "b"], [2, 3], data)
    assert groups == ["", "q"]
    assert complaint.startswith("1 rows have no group in 'g': lines 2; give them one, or set data")
