"""A metric file in a process of its own: one process for many scores, with a limit of time."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pickle
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from comp.core.errors import CompError, ConfigError, MetricError

Array = np.ndarray[Any, Any]

_START = 60.0  # seconds more for the first answer: pandas, and what the file imports, take time


@dataclass(frozen=True)
class Solution:
    """What a metric file calls the solution.

    `frame`    a pandas DataFrame with a row per image
    `id`       the column of the ids
    """

    frame: Any
    id: str


class Process:
    """The process of a metric file. It is started with the first score, and ends with `comp`."""

    def __init__(
        self, path: Path, solution: Solution, arguments: Mapping[str, Any], seconds: float
    ) -> None:
        self.path, self.solution, self.arguments = path, solution, arguments
        self.seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def score(self, rows: Array, answer: Mapping[str, Array]) -> float:
        """The score of an answer for some rows of the solution.

        Raises MetricError with what the file says, CompError where it fails otherwise, gives no
        number or takes too long, ConfigError for a file that cannot be loaded.
        """
        self._start()
        found = self._ask({"rows": rows, "answer": dict(answer)}, self.seconds)
        if "error" in found:
            if found["visible"]:
                raise MetricError(f"{self.path.name} says: {found['error']}")
            raise CompError(f"{self.path.name}: its `score` fails: {found['error']}")
        return float(found["score"])

    def _start(self) -> None:
        if self._child is not None and self._child.poll() is None:
            return
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "comp.tasks.official.worker", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for comp; the process ends when its input does
        )
        atexit.register(self.close)
        ready = self._read(self.seconds + _START)
        if "error" in ready:
            self.close()
            raise ConfigError(f"metric: {self.path}: cannot be used: {ready['error']}")
        self._send(
            {
                "frame": self.solution.frame,
                "id": self.solution.id,
                "arguments": dict(self.arguments),
            }
        )

    def _ask(self, request: Any, seconds: float) -> dict[str, Any]:
        self._send(request)
        return self._read(seconds)

    def _send(self, value: Any) -> None:
        content = pickle.dumps(value)
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(struct.pack("<Q", len(content)) + content)
            self._child.stdin.flush()
        except OSError as problem:
            raise CompError(f"{self.path.name}: the process of the metric has ended") from problem

    def _read(self, seconds: float) -> dict[str, Any]:
        """The next line of the child, in time."""
        assert self._child is not None
        assert self._child.stdout is not None
        end, stream = time.monotonic() + seconds, self._child.stdout.fileno()
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                self.close()
                raise CompError(
                    f"{self.path.name}: one score took longer than {seconds:g} s "
                    "(official.seconds); the process was ended"
                )
            part = os.read(stream, 1 << 16)
            if not part:
                code = self._child.wait()
                self.close()
                raise CompError(
                    f"{self.path.name}: the process of the metric ended with code {code}"
                )
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        child, self._child, self._unread = self._child, None, b""
        if child is None:
            return
        with contextlib.suppress(OSError):
            child.kill()
        for stream in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        child.wait()
