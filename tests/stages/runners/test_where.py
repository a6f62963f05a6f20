"""Where a command line asks work to be done."""

from __future__ import annotations

from typing import Any

import pytest

from comp.core.errors import UsageError
from comp.stages.runners.table import RUNNERS
from comp.stages.runners.where import Where, where_of


def test_a_command_without_options_trains_here() -> None:
    assert where_of() == Where()
    assert where_of("0,1") == Where("devices", "0,1")
    asked = where_of(on="slurm", ask=["time=5"], partition="gpu")
    assert asked.options == {"time": "5", "partition": "gpu"}
    assert Where().on in RUNNERS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"devices": "0", "on": "ray"}, "--devices is for this machine; with --on ray, use --ask"),
        ({"together": True}, "--together trains one fold on several devices; name them"),
        ({"on": "ray", "ask": ["gpus"]}, "--ask gpus: write KEY=VALUE"),
        ({"ask": ["gpus=1"]}, "--ask is for --on ray and --on slurm"),
    ],
)
def test_options_that_do_not_go_together_are_told(options: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        where_of(**options)
