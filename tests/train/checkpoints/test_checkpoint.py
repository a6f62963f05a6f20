from pathlib import Path
from typing import Any

import pytest
import torch

from comp.core.errors import RunError
from comp.train.checkpoints import checkpoint


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    tensor = torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
    checkpoint.save({"model": {"w": tensor}, "epoch": 3, "best": None}, tmp_path / "a.pt")
    state = checkpoint.load(tmp_path / "a.pt")
    assert torch.equal(state["model"]["w"], tensor)
    assert (state["epoch"], state["best"]) == (3, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_torn_checkpoint_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    checkpoint.save({"model": {"w": torch.zeros(1000)}}, path)
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(RunError, match=r"a\.pt: damaged: its content does not match"):
            checkpoint.load(path)


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    checkpoint.save({"model": _Canary(tmp_path / "canary")}, tmp_path / "evil.pt")
    with pytest.raises(RunError, match="not a checkpoint of comp"):
        checkpoint.load(tmp_path / "evil.pt")
    assert not (tmp_path / "canary").exists()


def test_a_missing_or_foreign_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no such checkpoint\. Train first"):
        checkpoint.load(tmp_path / "absent.pt")
    checkpoint.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(RunError, match="not a checkpoint of comp"):
        checkpoint.load(tmp_path / "other.pt")
