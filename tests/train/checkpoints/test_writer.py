"""What a fold saves is written at once or beside the training, with the same guarantees."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from train_jobs import Killed, kill_at, make_job, weights

from comp.core.errors import CompError
from comp.train import loop, train_state
from comp.train.checkpoints import checkpoint
from comp.train.checkpoints.writer import Writer, snapshot


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a thread write on a CPU too."""
    monkeypatch.setattr(train_state, "Writer", lambda **_: Writer(beside=True))


def test_a_snapshot_stays_as_it_was() -> None:
    weight, rows = torch.zeros(2).requires_grad_(), [{"loss": 1.0}]
    taken = snapshot({"model": {"w": weight}, "history": rows, "name": "a"})
    with torch.no_grad():
        weight += 1
    rows.append({"loss": 2.0})
    assert taken["model"]["w"].tolist() == [0.0, 0.0]
    assert (taken["history"], taken["name"]) == ([{"loss": 1.0}], "a")


def test_a_snapshot_of_a_network_and_its_optimizer_shares_no_memory() -> None:
    net = torch.nn.BatchNorm1d(2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1.0, betas=(0.5, 0.9))
    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "pair": (net.weight,)}
    taken = snapshot(state)
    before = {name: value.clone() for name, value in taken["model"].items()}
    net(torch.randn(4, 2)).sum().backward()
    optimizer.step()
    assert not torch.equal(net.weight, before["weight"])
    assert all(torch.equal(value, before[name]) for name, value in taken["model"].items())
    assert torch.equal(taken["pair"][0], before["weight"])
    assert taken["model"]._metadata == state["model"]._metadata
    assert taken["optimizer"]["param_groups"][0]["betas"] == (0.5, 0.9)


@pytest.mark.parametrize("threaded", [False, True])
def test_files_are_written_in_the_order_of_the_calls(threaded: bool) -> None:
    found: list[Any] = []
    with Writer(beside=threaded) as writer:
        for number in range(4):
            writer.put(lambda saved: found.append(saved["n"]), {"n": number})
    assert found == [0, 1, 2, 3]


def test_training_goes_on_while_a_thread_writes() -> None:
    free, order = threading.Event(), []
    with Writer(beside=True) as writer:
        writer.put(lambda _: (free.wait(10), order.append("written"))[0], {})
        order.append("next step")
        writer.check()
        free.set()
        writer.wait()
    assert order == ["next step", "written"]


def test_a_file_that_takes_long_is_written_before_the_next_is_begun() -> None:
    later, found = threading.Event(), list[str]()

    def first(_: Any) -> None:
        later.wait(0.1)
        found.append("first")

    def second(_: Any) -> None:
        found.append("second")
        later.set()

    with Writer(beside=True) as writer:
        writer.put(first, {})
        writer.put(second, {})
    assert found == ["first", "second"]


def test_a_disk_that_is_too_slow_is_waited_for_before_memory_is_full() -> None:
    """Four snapshots wait at the most: what the end of an epoch saves."""
    free = threading.Event()
    with Writer(beside=True) as writer:
        for _ in range(4):
            writer.put(lambda _: free.wait(10), {})
        threading.Timer(0.1, free.set).start()
        writer.put(lambda _: None, {})
        assert free.is_set()


def fail(_: Any) -> None:
    raise CompError("the disk is full")


@pytest.mark.parametrize("call", ["wait", "put", "leave"])
def test_an_error_of_the_thread_is_raised_where_the_loop_notices(call: str) -> None:
    def use() -> None:
        with Writer(beside=True) as writer:
            writer.put(fail, {})
            if call == "put":
                writer.put(print, {})
            if call == "wait":
                writer.wait()

    with pytest.raises(CompError, match="the disk is full"):
        use()


def test_an_error_of_the_loop_goes_before_one_of_the_thread() -> None:
    with pytest.raises(ValueError, match="first"), Writer(beside=True) as writer:
        writer.put(fail, {})
        raise ValueError("first")


@pytest.mark.usefixtures("beside")
def test_a_run_that_a_thread_saves_is_killed_and_resumed_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = {"train__ema": 0.9, "train__checkpoint_minutes": 1e-9, "train__top_k": 2}
    broken = make_job(tmp_path / "broken", **over)
    for call in (3, 1):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, call)
            loop.train_fold(broken)
    loop.train_fold(broken)
    monkeypatch.undo()  # the other run writes at once
    whole = make_job(tmp_path / "whole", **over)
    loop.train_fold(whole)
    for name in ("last", "best", "average"):
        assert weights(broken.run, name) == weights(whole.run, name)
    assert broken.run.history.read_bytes() == whole.run.history.read_bytes()


@pytest.mark.usefixtures("beside")
def test_a_disk_that_is_full_ends_a_fold_whose_checkpoints_a_thread_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "save_last", lambda *_: fail(None))
    with pytest.raises(CompError, match="the disk is full"):
        loop.train_fold(make_job(tmp_path, train__epochs=1))
