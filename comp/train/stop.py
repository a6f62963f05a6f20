"""When to stop before the end: on a signal, or when the time is up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from comp.core.errors import Interrupted, OutOfTime
from comp.core.progress import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TIME_IS_UP = 1 << 10  # beside the numbers of signals
_SHARE, _AT_MOST = 0.02, 60.0


def _exit(number: int) -> None:
    os._exit(128 + number)


class Stop:
    """Whether the loop should write a checkpoint and leave at the next step.

    The first SIGINT or SIGTERM asks for it; a second one leaves at once, with the exit code of the
    signal. So does the end of `hours`, in time: a fiftieth of them (60 s at most) and the time of
    two checkpoints are kept in reserve. Outside of `at_a_step` (packing, building a network) there
    is nothing to keep, and a signal ends the command where it is.

    again: how the message calls the command that continues. at_once: what a second signal does.
    """

    def __init__(
        self,
        hours: float | None = None,
        again: str = "the same command",
        at_once: Callable[[int], None] = _exit,
    ) -> None:
        self.at_once = at_once
        self.signal: int | None = None
        self.told = 0
        self.again = again
        self.patient = False
        self.later_epochs = 0
        self.started = time.monotonic()
        self.seconds = None if hours is None else hours * 3600
        self.longest_save = 0.0
        self.estimated = False

    @property
    def left(self) -> float | None:
        """Seconds until the loop has to stop; None without a limit."""
        if self.seconds is None:
            return None
        reserve = min(_SHARE * self.seconds, _AT_MOST) + 2 * self.longest_save
        return self.seconds - reserve - (time.monotonic() - self.started)

    @property
    def requested(self) -> bool:
        """Whether it is time to stop."""
        return self.signal is not None or (self.left is not None and self.left <= 0)

    @property
    def agreed(self) -> bool:
        """Whether all processes that train together know that it is time to stop."""
        return self.told > 0

    @property
    def said(self) -> int:
        """The same for other processes: 0, the number of a signal, or that time is up."""
        return self.signal or (TIME_IS_UP if self.requested else 0)

    def adopt(self, said: int) -> None:
        """Take over what any of the processes said: a signal reaches one of them first."""
        self.told = said
        if self.signal is None and 0 < said < TIME_IS_UP:
            self.signal = said

    def leave(self, where: str) -> None:
        """Raise what ends the command: Interrupted for a signal, OutOfTime for the clock."""
        if self.signal is not None:
            name = signal.Signals(self.signal).name
            raise Interrupted(f"{name}: stopped {where}; {self.again} continues there", self.signal)
        hours = (self.seconds or 0) / 3600
        raise OutOfTime(
            f"the {hours:g} hours are over: stopped {where}; {self.again} continues there"
        )

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            self.at_once(number)
        self.signal = number
        if not self.patient:
            self.leave("between two folds")
        say(f"{signal.Signals(number).name}: stopping at the next step; once more to leave at once")

    @contextmanager
    def at_a_step(self) -> Iterator[None]:
        """While the block runs, signals wait until it checks `requested`."""
        self.patient = True
        try:
            yield
        finally:
            self.patient = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Catch the signals while the block runs (in the main thread; elsewhere they stay)."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
