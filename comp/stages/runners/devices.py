"""`--devices`: one process per device, folds from a queue.

A process that dies gives its fold back: another one goes on with it from its last checkpoint. Time
and signals are this process's own: it passes both on, and waits for the checkpoints.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import comp
from comp.core.errors import CompError, Interrupted, OutOfTime, TrainError
from comp.core.progress import say
from comp.stages.runners.order import Order, Outcome, error_of
from comp.stages.runners.screen import Screen, open_screen
from comp.stages.runners.slots import Slot
from comp.train.stop import Stop

DEATHS = 3  # of one fold's processes, after which it is given up
_WAIT = 0.5  # seconds between two looks at the processes
_COMMAND = [sys.executable, "-m", "comp.stages.runners.child"]
_TAIL = 5  # lines of stderr that are shown of a process that died


def train_on_devices(
    slots: Sequence[Slot], order: Order, folds: Sequence[int], stop: Stop
) -> list[tuple[int, CompError]]:
    """Train folds by one process per slot; the folds that failed, with their errors.

    Raises Interrupted and OutOfTime when all processes have written their checkpoints.
    """
    with open_screen() as screen, stop.listening(), stop.at_a_step():
        team = _Team(order, deque(folds), stop, screen)
        try:
            team.work(slots[: len(folds)])
        finally:
            team.end()
    if team.stopped:
        listed = ", ".join(str(fold) for fold in sorted(team.stopped))
        stop.leave(f"in {order.kind.unit} {listed}")
    return sorted(team.failed.items())


@dataclass
class _Process:
    """A child on its slot, and the fold that it trains."""

    slot: Slot
    child: subprocess.Popen[bytes]
    fold: int | None = None
    readers: list[threading.Thread] = field(default_factory=list)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))


class _Team:
    """The processes, the folds that wait, and what became of the others."""

    def __init__(self, order: Order, waiting: deque[int], stop: Stop, screen: Screen) -> None:
        self.order, self.waiting, self.stop, self.screen = order, waiting, stop, screen
        self.events: queue.SimpleQueue[tuple[_Process, dict[str, Any]]] = queue.SimpleQueue()
        self.deaths: Counter[int] = Counter()
        self.failed: dict[int, CompError] = {}
        self.stopped: set[int] = set()
        self.processes: list[_Process] = []
        self.passed_on = False

    def work(self, slots: Sequence[Slot]) -> None:
        """Until no fold waits and none is in work."""
        self.processes = [self._start(slot) for slot in slots]
        for process in self.processes:
            self._hand_out(process)
        while any(process.fold is not None for process in self.processes):
            with contextlib.suppress(queue.Empty):
                self._take(*self.events.get(timeout=_WAIT))
            self._pass_on()
            for place, process in enumerate(self.processes):
                if process.fold is not None and process.child.poll() is not None:
                    self._drain()
                    if process.fold is not None:
                        self.processes[place] = self._replace(process)
        if self.stop.requested:
            self.stopped |= {*self.waiting}

    def end(self) -> None:
        """Let the processes end; their stdin ends, which stops one that still trains."""
        for process in self.processes:
            _close(process)
        for process in self.processes:
            process.child.wait()
            self.screen.end(process.slot.label)
            for reader in process.readers:
                reader.join(_WAIT)

    def _start(self, slot: Slot) -> _Process:
        code = str(Path(comp.__file__).parents[1])
        paths = [code, *filter(None, [os.environ.get("PYTHONPATH")])]
        environ = {**os.environ, **slot.environ, "PYTHONPATH": os.pathsep.join(paths)}
        child = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=True,  # signals of the terminal come through this process only
        )
        process = _Process(slot, child)
        assert child.stdout is not None
        assert child.stderr is not None
        for read, pipe in ((self._answers, child.stdout), (self._words, child.stderr)):
            process.readers.append(threading.Thread(target=read, args=(process, pipe), daemon=True))
            process.readers[-1].start()
        self._send(process, self.order.plain())
        return process

    def _answers(self, process: _Process, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                with contextlib.suppress(ValueError):  # a line that a kill cut off
                    self.events.put((process, json.loads(line)))

    def _words(self, process: _Process, pipe: IO[bytes]) -> None:
        """What libraries print on stderr."""
        with pipe:
            for line in pipe:
                text = line.decode(errors="replace").rstrip()
                process.tail.append(text)
                self.events.put((process, {"say": text}))

    def _send(self, process: _Process, value: dict[str, Any]) -> None:
        assert process.child.stdin is not None
        with contextlib.suppress(OSError):  # it has died, which is noticed elsewhere
            process.child.stdin.write(json.dumps(value).encode() + b"\n")
            process.child.stdin.flush()

    def _hand_out(self, process: _Process) -> None:
        """Give a process the next fold, if there is one and time for it."""
        process.fold = None
        self.screen.end(process.slot.label)
        if not self.waiting or self.stop.requested:
            return
        process.fold = self.waiting.popleft()
        self._send(process, {"fold": process.fold, "seconds": self.stop.left})

    def _take(self, process: _Process, event: dict[str, Any]) -> None:
        if "outcome" in event:
            self._note(event["outcome"], process.slot.label)
            self._hand_out(process)
        else:
            self.screen.show(process.slot.label, event)

    def _note(self, outcome: Outcome, label: str) -> None:
        fold, problem = outcome["fold"], error_of(outcome)
        if isinstance(problem, Interrupted) and not self.stop.requested:
            self._give_back(fold, f"its process on {label} was told to stop", ())
        elif isinstance(problem, (Interrupted, OutOfTime)):
            self.stopped.add(fold)
        elif problem is not None:
            self.failed[fold] = problem
            unit = self.order.kind.unit
            say(f"{unit} {fold}: failed; it is told at the end, the other {unit}s go on")

    def _drain(self) -> None:
        """What a process that ended had still to say."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._take(*self.events.get(timeout=_WAIT))

    def _pass_on(self) -> None:
        """Tell the processes of a signal, once."""
        if self.stop.signal is None or self.passed_on:
            return
        self.passed_on = True
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.child.send_signal(signal.SIGTERM)

    def _replace(self, dead: _Process) -> _Process:
        """Another process in the place of one that died while it trained a fold."""
        fold, label = dead.fold, dead.slot.label
        assert fold is not None
        dead.fold = None
        _close(dead)
        for reader in dead.readers:  # its last words are told
            reader.join(_WAIT)
        self.screen.end(label)
        if self.stop.requested:
            self.stopped.add(fold)
            return dead
        self._give_back(fold, f"its process on {label} {_ended(dead.child.returncode)}", dead.tail)
        fresh = self._start(dead.slot)
        self._hand_out(fresh)
        return fresh

    def _give_back(self, fold: int, how: str, tail: Iterable[str]) -> None:
        """Put a fold in front of those that wait, unless it was there too often."""
        self.deaths[fold] += 1
        if self.deaths[fold] < DEATHS:
            say(f"{self.order.kind.unit} {fold}: {how}; it goes on from its last checkpoint")
            self.waiting.appendleft(fold)
            return
        said = "".join(f"\n  {line}" for line in tail)
        train = self.order.work == "train"
        alone = f", or train it alone: `comp train --fold {fold}`" if train else ""
        self.failed[fold] = TrainError(
            f"{self.order.kind.unit} {fold}: given back {DEATHS} times, the last time because "
            f"{how}. Often memory is short: use a smaller train.batch_size or fewer devices"
            f"{alone}{said}"
        )


def _close(process: _Process) -> None:
    """End the stdin of a process."""
    assert process.child.stdin is not None
    with contextlib.suppress(OSError):
        process.child.stdin.close()


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"
