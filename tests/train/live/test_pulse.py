"""A fold says how far it is, and trains as it would without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from train_jobs import make_job

from comp.core import checksums
from comp.train.live import pulse
from comp.train.live.beat import Beat, read_beat
from comp.train.live.pulse import process_memory
from comp.train.loop import train_fold


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "FILE_SECONDS", 0.0)
    monkeypatch.setattr(pulse, "SHOWN_SECONDS", 0.0)


def trained(path: Path, **over: Any) -> list[tuple[Beat, int]]:
    """What a fold of 3 epochs of 4 steps said, with the length of its history."""
    said: list[tuple[Beat, int]] = []

    def watch(beat: Beat, history: list[dict[str, float]]) -> None:
        said.append((beat, len(history)))

    train_fold(replace(make_job(path, train__batch_size=4, **over), watch=watch))
    return said


def test_each_step_and_each_validation_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    said = trained(tmp_path)
    first = [(beat.phase, beat.epoch, beat.step) for beat, done in said if done == 0]
    steps = [("training", 1, step) for step in range(5 - 1)]
    assert first[: len(steps)] == steps
    assert ("validation", 1, said[0][0].steps) in first
    last, done = said[-1]
    assert (last.phase, last.epoch, last.epochs, last.left, done) == ("finished", 3, 3, 0.0, 3)
    assert [done for _, done in said] == sorted(done for _, done in said)


def test_images_per_second_and_the_time_left_are_those_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 epochs of 4 steps, a second each, and 2 s of validation: 6 s an epoch."""
    at_once(monkeypatch)
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(pulse, "time", clock)
    said: list[Beat] = []
    job = replace(make_job(tmp_path), watch=lambda beat, history: said.append(beat))
    state: Any = SimpleNamespace(
        epoch=0, step=0, updates=1, lr=0.1, loss_sum=torch.tensor([3.0, 2.0]), history=[]
    )
    found = pulse.Pulse(job, 4, 12)
    found.begin(state)
    for state.step in range(1, 5):
        clock.now += 1
        found.step(state)
    found.validates(state)
    clock.now += 2
    state.epoch, state.step = 1, 0
    found.end(state)
    found.begin(state)
    state.step, clock.now = 1, clock.now + 2
    found.step(state)
    assert [beat.left for beat in said] == [None, 11.0, 10.0, 9.0, 8.0, 8.0, 12.0, 12.0, 11.0]
    assert [beat.speed for beat in said] == [None, *[3.0] * 5, None, None, 1.5]
    assert [beat.epoch_seconds for beat in said] == [*[None] * 6, *[6.0] * 3]
    assert {(beat.loss, beat.lr) for beat in said} == {(1.5, 0.1)}


def test_the_file_is_there_while_it_trains_and_gone_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    seen = []
    job = make_job(tmp_path, train__batch_size=4)
    watch = lambda beat, history: seen.append(read_beat(job.run.progress))  # noqa: E731
    train_fold(replace(job, watch=watch))
    assert any(beat is not None and beat.name == "fold 0" for beat in seen)
    assert not job.run.progress.exists()


def test_no_weight_depends_on_who_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    trained(tmp_path / "watched")
    train_fold(make_job(tmp_path / "alone4", train__batch_size=4))
    digests = [checksums.digest_file(tmp_path / name / "last.pt") for name in ("alone4", "watched")]
    assert digests[0] == digests[1]


def test_a_disk_that_takes_no_word_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    monkeypatch.setattr(pulse, "write_beat", lambda path, beat: False)
    assert trained(tmp_path)[-1][0].phase == "finished"


def test_without_a_watcher_lines_are_printed_and_with_one_only_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_fold(make_job(tmp_path / "a"))
    assert capsys.readouterr().err.count("  epoch ") == 3
    trained(tmp_path / "b")
    assert "  epoch " not in capsys.readouterr().err
    assert (tmp_path / "b/log.txt").read_text().count("  epoch ") == 3


def test_the_memory_of_the_process_is_known() -> None:
    memory = process_memory()
    assert memory is not None
    assert 10**7 < memory < 10**12
