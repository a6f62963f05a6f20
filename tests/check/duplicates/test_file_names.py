"""What file names say."""

from __future__ import annotations

from comp.check.duplicates.file_names import families, roboflow, shots


def test_roboflow_names_are_copies_of_one_image() -> None:
    names = ["a_jpg.rf.0123456789abcdef.jpg", "a_jpg.rf.fedcba9876543210.jpg", "a_jpg.jpg"]
    assert roboflow([*names, "b.rf.0123456789abcdef.jpg"]) == [[0, 1]]


def test_what_a_program_adds_to_a_copy_is_taken_off() -> None:
    names = ["x.jpg", "x_rot90.jpg", "x_aug_3.png", "x (1).jpg", "x - Copy.jpg", "y.jpg"]
    assert families(names) == [[0, 1, 2, 3, 4]]


def test_numbers_alone_are_no_family() -> None:
    assert families(["x_1.jpg", "x_2.jpg", "x2.jpg", "copy.jpg", "cropland_1.jpg"]) == []


def test_neighbours_by_number_are_pairs() -> None:
    assert sorted(shots(["a_003.jpg", "a_001.jpg", "a_004.jpg", "b_002.jpg"])) == [
        (0, 1),
        (0, 2),
    ]


def test_huge_numbers_are_names() -> None:
    assert list(shots(["9" * 30, "8" * 30])) == []
