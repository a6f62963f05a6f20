from pathlib import Path

import pytest

from comp.core.errors import (
    CheckError,
    CompError,
    ConfigError,
    DataError,
    Interrupted,
    complain,
    first,
    nearest,
    pick,
    unreadable,
)


def test_an_unknown_name_lists_the_choices_and_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        pick({"macro_f1": 1, "accuracy": 2}, "macro-f1", "metric")
    assert str(caught.value) == (
        "unknown metric 'macro-f1'; it is one of: macro_f1, accuracy. Did you mean 'macro_f1'?"
    )


def test_a_far_off_name_gets_no_suggestion() -> None:
    assert nearest("zzz", ["macro_f1"]) is None
    with pytest.raises(ConfigError, match=r"macro_f1\.$"):
        pick({"macro_f1": 1}, "zzz", "metric")


def test_all_complaints_come_at_once_and_long_lists_are_cut() -> None:
    complain(DataError, "fine", [])
    with pytest.raises(DataError) as caught:
        complain(DataError, "train.csv:", ["a", "b", "c"], shown=2)
    assert str(caught.value) == "train.csv:\n  - a\n  - b\n  ... and 1 more"


def test_exit_codes_follow_the_kind_of_error() -> None:
    assert [e.exit_code for e in (CompError, ConfigError, CheckError, DataError)] == [1, 2, 3, 3]
    assert Interrupted("stopped", 15).exit_code == 143


def test_a_file_that_cannot_be_read_has_one_reason_everywhere(tmp_path: Path) -> None:
    (tmp_path / "korean").write_bytes("결함".encode("cp949"))
    found = []
    for path in (tmp_path / "none", tmp_path, tmp_path / "korean", tmp_path / "korean" / "below"):
        with pytest.raises((OSError, ValueError)) as caught:
            path.read_text(encoding="utf-8")
        found.append(unreadable(caught.value))
    assert found == [
        "no such file",
        "is a folder, not a file",
        "is not UTF-8 text",
        "cannot be read (Not a directory)",
    ]
    assert unreadable(ValueError("torn\nin two")) == "cannot be read (torn)"


def test_first_says_how_many_more_there_are() -> None:
    assert first(["a", "b"]) == "'a', 'b'"
    assert first("abcdefg", shown=2) == "'a', 'b' and 5 more"
