"""Small disks, few files, little memory, odd clocks and users: a part; `make faults` runs all."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import fault_places as places
from faults.fault_kills import Victims
from faults.fault_world import Outcome

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="forks, reads /proc"),
]
mounts = pytest.mark.skipif(not places.can_mount(), reason="only root may mount a small disk")


@mounts
@pytest.mark.parametrize("name", ["pack", "folds make", "train", "ensemble", "board score"])
def test_a_small_disk_is_told_and_nothing_is_lost(victims: Victims, name: str) -> None:
    assert places.small_disk(victims, name, 0.3) == "refused"


@mounts
def test_a_disk_without_room_for_another_file_is_told(victims: Victims) -> None:
    assert places.small_disk(victims, "check", 1, inodes=2) == "refused"


def test_64_open_files_are_enough(victims: Victims) -> None:
    assert places.under(victims, "ensemble", files=places.FEW_FILES) == "survived"


def test_little_memory_is_enough_or_one_error(victims: Victims) -> None:
    assert places.under(victims, "ensemble", memory=1 << 20) in ("survived", "refused")


@pytest.mark.parametrize("clock", places.CLOCKS)
def test_a_clock_that_jumps_changes_nothing(victims: Victims, clock: str) -> None:
    assert places.under(victims, "train", clock=places.CLOCKS[clock]) == "survived"


@pytest.mark.parametrize("name", places.SETS)
def test_a_set_of_hardly_any_images_ends_or_says_why_not(victims: Victims, name: str) -> None:
    assert places.small_set(victims.world, "multiclass", name) in ("survived", "refused")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1, "Traceback (most recent call last):\nerror: x"),
        (70, "error: x"),
        (1, "no word of what is wrong"),
        (1, "error: one\nerror: two"),
        (1, "error: "),
    ],
)
def test_the_harness_sees_an_error_that_is_none(code: int, text: str) -> None:
    with pytest.raises(AssertionError):
        places.fails_well(Outcome(code, [], [], {}, [], text))
    places.fails_well(Outcome(1, [], [], {}, [], "error: the disk is full"))
