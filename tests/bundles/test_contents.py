"""What a bundle says of itself, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_toys import taken_out

from comp.bundles.contents import read_bundle
from comp.core.errors import DamagedError, RunError


@pytest.fixture
def folder(shipped: Callable[[str], Path], tmp_path: Path) -> Path:
    return taken_out(shipped("binary"), "binary", tmp_path / "out") / "bundle"


def test_a_bundle_is_read_from_its_folder_alone(folder: Path) -> None:
    found = read_bundle(folder)
    assert (found.task.name, found.metric.name) == ("binary", "macro_f1")
    assert [member.name for member in found.members] == ["toy_binary fold 0", "toy_binary fold 1"]
    assert [member.tta for member in found.members] == ["hflip", "hflip"]
    assert found.blend().weights == (0.5, 0.5)
    assert found.prior.tolist() == [0.5]
    assert found.steps[0].runs == found.runs == ("toy_binary",)
    assert found.scores.low <= found.scores.honest <= found.scores.high


def test_another_form_and_a_missing_file_are_refused(folder: Path) -> None:
    with pytest.raises(RunError, match=r"It holds the bundles 'bundle'"):
        read_bundle(folder.parent)
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "version": 99}), encoding="utf-8")
    with pytest.raises(DamagedError, match="a bundle of form 99"):
        read_bundle(folder)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "members/000.safetensors").unlink()
    with pytest.raises(DamagedError, match="missing; copy the bundle again"):
        read_bundle(folder)
