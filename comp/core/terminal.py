"""What reaches the terminal: any text, whatever it can show, and nothing that steers it.

Labels, ids and file names are data. An escape sequence in one would colour or clear the screen, a
letter that the terminal lacks would end the command, and a secret of the environment would be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from comp.core.secrets import hidden

# Controls, surrogates (bytes of a name that are no text), and what turns the order of letters;
# joiners stay: emoji are made of them
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str, *, lines: bool = True) -> str:
    r"""`text` with its control characters as they are written in Python: `\x1b`, `\u202e`.

    lines: line feeds and tabs stay; without, they are written out too.
    """
    text = _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)
    return text if lines else text.replace("\n", r"\n").replace("\t", r"\t")


def again(config: Path | None, sets: Sequence[str] | None) -> str:
    """The options that repeat an experiment, for the next command: ` -c a.yaml --set seed=1`."""
    words = ["-c", str(config)] if config else []
    for assignment in sets or []:
        words += ["--set", assignment]
    return "".join(f" {shlex.quote(word)}" for word in words)


_options = ContextVar("the options that repeat the experiment of this command", default="")
_ADVICE = re.compile(
    r"`comp (?:config|check|pack|train|status|predict|ensemble|labels|report|watch|augment show"
    r"|find (?:lr|batch)|folds (?:make|show|import|export)|submission (?:check|send))"
    r"(?=[ `])(?![^`]* -c )"
)


def advise_for(config: Path | None, sets: Sequence[str] | None) -> None:
    """From now on, let commands that messages name be for the experiment of these options."""
    _options.set(again(config, sets))


def with_options(message: str) -> str:
    """A message whose commands, in backticks, can be typed as they are: `-c` and `--set` of the
    experiment at hand are in them."""
    return _ADVICE.sub(lambda found: found[0] + _options.get(), message)


def tell(text: object = "", end: str = "\n") -> None:
    """A line of a result, on stdout."""
    print(visible(with_options(str(text))), end=end)


def json_text(value: Any) -> str:
    """Plain values as indented JSON for stdout; letters that it lacks or that steer are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if can_show(text) and visible(text) == text else json.dumps(value, indent=2)


def can_show(text: str) -> bool:
    """Whether stdout has all letters of a text. For one that it lacks, `?` is printed."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Steady:
    """A stream that hides secrets, and that nobody need read to its end.

    `| head -1` closes it: what is printed afterwards is dropped, and the command goes on. Another
    fault of it, such as a full disk, is an OSError once.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with self._unread():
            self.stream.write(hidden(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._unread():
            self.stream.flush()

    @contextlib.contextmanager
    def _unread(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
            if not isinstance(problem, BrokenPipeError):
                raise OSError(problem.errno, problem.strerror, "standard output") from problem


@contextlib.contextmanager
def steady_streams() -> Iterator[None]:
    """Let stdout and stderr take any text, from anyone, while the block runs.

    Raises OSError at the end when stdout cannot take what was printed: its disk is full.
    """
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        # None where the caller has closed it (`>&-`), and in a program without a console
        sys.stdout, sys.stderr = (_steady(stream or nowhere) for stream in before)
        try:
            yield
            sys.stdout.flush()
        finally:
            sys.stdout, sys.stderr = before


def _steady(stream: TextIO) -> Any:
    with contextlib.suppress(AttributeError, ValueError):  # a stream of a test or a notebook
        stream.reconfigure(errors="replace")  # type: ignore[attr-defined]
    return _Steady(stream)
