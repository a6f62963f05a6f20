"""Findings in the order of their levels."""

from comp.check.findings import Finding, by_level


def test_errors_come_first_and_the_order_within_a_level_stays() -> None:
    found = [
        Finding("note", "a"),
        Finding("error", "b"),
        Finding("warning", "c"),
        Finding("error", "d"),
    ]
    assert [f.text for f in by_level(found)] == ["b", "d", "c", "a"]
