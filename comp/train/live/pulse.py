"""The pulse of a fold: now and then, between two steps, it says how far it is.

It reads clocks and numbers that are there; it draws nothing at random and waits for no device, so
that a training with it is the training without it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import torch

from comp.train.job import Job
from comp.train.live.beat import Beat, write_beat
from comp.train.train_state import TrainState

FILE_SECONDS = 2.0  # between two beats that are written
SHOWN_SECONDS = 0.2  # between two that are shown, where somebody looks


class Pulse:
    """Beats of one fold. steps: of an epoch; images: that it is trained on in an epoch."""

    def __init__(self, job: Job, steps: int, images: int) -> None:
        self.job, self.steps, self.images = job, steps, images
        self.epoch_seconds: float | None = None
        self.valid_seconds = 0.0
        self.began = self.shown = self.written = time.monotonic()
        self.first_step, self.trained = 0, 0.0

    def begin(self, state: TrainState) -> None:
        """An epoch begins, or what is left of it."""
        self.began, self.first_step, self.trained = time.monotonic(), state.step, 0.0
        self._look(state, "training")

    def step(self, state: TrainState) -> None:
        """An update was made."""
        self._look(state, "training")

    def validates(self, state: TrainState) -> None:
        """A batch was validated, or none yet."""
        self.trained = self.trained or time.monotonic() - self.began
        self._look(state, "validation")

    def end(self, state: TrainState) -> None:
        """An epoch is over, and in the history."""
        seconds = time.monotonic() - self.began
        self.valid_seconds = max(0.0, seconds - self.trained)
        if not self.first_step:
            self.epoch_seconds = seconds
        self._look(state, "training", history=True)

    def finish(self, state: TrainState) -> None:
        """The fold is whole: who looks is told, and the file is removed."""
        if self.job.watch is not None:
            self.job.watch(self._beat(state, "finished"), state.history)
        with contextlib.suppress(OSError):
            if self.job.run.progress.exists():
                self.job.run.progress.unlink()

    def _look(self, state: TrainState, phase: str, *, history: bool = False) -> None:
        """Show and write a beat where it is time."""
        if not self.job.world.lead:
            return
        now, watch = time.monotonic(), self.job.watch
        shows = watch is not None and (history or now - self.shown >= SHOWN_SECONDS)
        writes = now - self.written >= FILE_SECONDS
        if not shows and not writes:
            return
        beat = self._beat(state, phase)
        if watch is not None and shows:
            self.shown = now
            watch(beat, state.history)
        if writes:
            self.written = now
            write_beat(self.job.run.progress, beat)

    def _beat(self, state: TrainState, phase: str) -> Beat:
        total, made = state.loss_sum.tolist()
        device, of = _device_memory(self.job)
        epochs, speed = self.job.config.train.epochs, self._speed(state)
        return Beat(
            name=self.job.name,
            phase=phase,
            epoch=min(state.epoch + 1, epochs),
            epochs=epochs,
            step=self.steps if phase == "finished" else state.step,
            steps=self.steps,
            loss=total / made if made else None,
            lr=state.lr if state.updates else None,
            speed=None if speed is None else speed * self.images / self.steps,
            epoch_seconds=self.epoch_seconds,
            left=self._left(state, phase, speed),
            memory=process_memory(),
            device_memory=device,
            device_total=of,
        )

    def _speed(self, state: TrainState) -> float | None:
        """Steps per second in the epoch at work."""
        made, took = state.step - self.first_step, self.trained or time.monotonic() - self.began
        return made / took if made > 0 and took > 0 else None

    def _left(self, state: TrainState, phase: str, speed: float | None) -> float | None:
        """Seconds until the last epoch ends, by the pace so far; patience may end it earlier."""
        if phase == "finished":
            return 0.0
        whole = self.epoch_seconds
        if whole is None and speed is not None:
            whole = self.steps / speed + self.valid_seconds
        if whole is None:
            return None
        rest = self.job.config.train.epochs - state.epoch
        return max(0.0, whole * rest - self._spent(state, phase, whole))

    def _spent(self, state: TrainState, phase: str, whole: float) -> float:
        """What of an epoch's time is behind, by the steps that are made."""
        train = max(0.0, whole - self.valid_seconds)
        if phase == "validation":
            return train
        return train * state.step / self.steps


def process_memory() -> int | None:
    """Bytes that this process has in memory; None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _device_memory(job: Job) -> tuple[int | None, int | None]:
    """The most that this process reserved on a CUDA device, and what the device has."""
    if not job.device.cuda:
        return None, None
    where = job.device.torch_device
    total = torch.cuda.get_device_properties(where).total_memory
    return torch.cuda.max_memory_reserved(where), total
