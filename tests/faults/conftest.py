"""One toy for all that breaks a workspace: its zygote and its undisturbed run take seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults.fault_cases import Stage
from faults.fault_kills import Victims
from faults.fault_world import World


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("faults"))
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def world(stage: Stage) -> World:
    return stage.world


@pytest.fixture(scope="session")
def victims(world: World) -> Victims:
    return Victims(world)
