"""A process that trains folds for another one: `python -m comp.stages.runners.child`.

It reads lines of JSON from stdin: an order, then a fold each. It writes lines of JSON to stdout:
what is to be shown, and what became of each fold. When stdin ends while it trains, the one who
asked is gone: it stops with a checkpoint.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

from comp.core import progress
from comp.stages.runners.order import Order, train_piece

_BLOCK = 1 << 16


class _Asked:
    """The lines of stdin, read by a thread; `busy` while a fold is trained."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.busy = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while block := os.read(0, _BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self.lines.put(json.loads(line))
        self.lines.put(None)
        if self.busy:
            os.kill(os.getpid(), signal.SIGTERM)


class _Answers:
    """Lines of JSON to a pipe, by a thread: a handler of a signal may answer too, at any moment."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe
        self.waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def _write(self) -> None:
        while (event := self.waiting.get()) is not None:
            rest = json.dumps(event).encode() + b"\n"
            while rest:
                rest = rest[os.write(self.pipe, rest) :]

    def end(self) -> None:
        """Until all is written."""
        self.waiting.put(None)
        self.thread.join()


def main() -> None:
    """Train what is asked for, until stdin ends."""
    answers, asked = _Answers(os.dup(1)), _Asked()
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    progress.send_to(answers.waiting.put)
    first = asked.lines.get()
    order = None if first is None else Order(**first)
    while order is not None and (piece := asked.lines.get()) is not None:
        asked.busy = True
        outcome = train_piece(order, piece["fold"], piece["seconds"])
        asked.busy = False
        answers.waiting.put({"outcome": outcome})
    answers.end()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the one who asked passes it on
    main()
    sys.stderr.flush()
    os._exit(0)  # the thread that reads stdin would hold the end up
