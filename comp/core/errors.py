"""Every error that `comp` raises on purpose, and the exit code that each one ends the program with.

    CompError              1   something failed
    ├── UsageError         2   the command line cannot be right
    │   └── ConfigError    2   the config cannot be right
    ├── CheckError         3   a check said no
    │   ├── DataError          the competition's files
    │   ├── PlanError          the fold plan
    │   ├── PackError          the packed images
    │   ├── RunError           a run folder or a checkpoint in it
    │   │   └── DamagedError       the manifest of a fold
    │   ├── PredictionsError   saved probabilities
    │   └── SubmissionError    the submission file
    ├── ModelError         1   a network that cannot be built or loaded
    ├── TrainError         1   training cannot go on
    │   └── WorkerError    1   a process that prepares batches died
    ├── MetricError        1   what a competition's metric file says
    ├── TuneError          1   a rule cannot be tuned
    ├── OutOfTime          1   the hours that were granted are over; a checkpoint is written
    └── Interrupted        130 or 143

The message of each is for the user: what is wrong, where, what is allowed, what to do next.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from comp.core.secrets import hidden

T = TypeVar("T")


class CompError(Exception):
    """Something failed that the user should read about without a traceback."""

    exit_code = 1


class UsageError(CompError):
    """The command line asks for what does not exist."""

    exit_code = 2


class ConfigError(UsageError):
    """The config has an unknown key, a wrong type or an impossible value."""


class CheckError(CompError):
    """A check said no: files do not fit each other or themselves."""

    exit_code = 3


class DataError(CheckError):
    """The competition's own files: tables, images, labels."""


class PlanError(CheckError):
    """The fold plan is missing, damaged or made for other data."""


class PackError(CheckError):
    """Packed images that are torn or belong to another index."""


class RunError(CheckError):
    """A run folder or checkpoint that does not belong to this config, plan or data."""


class DamagedError(RunError):
    """The manifest of a fold is torn, or does not belong to the files beside it."""


class PredictionsError(CheckError):
    """Saved probabilities that cannot be right."""


class SubmissionError(CheckError):
    """A submission that would be refused."""


class ModelError(CompError):
    """A network that cannot be built, or weights that do not fit it."""


class TrainError(CompError):
    """Training cannot go on."""


class WorkerError(TrainError):
    """A process that prepares batches died."""


class TuneError(CompError):
    """A rule cannot be tuned on these targets."""


class MetricError(CompError):
    """What a competition's metric file says to who takes part."""


class OutOfTime(CompError):
    """The hours that were granted are over; a checkpoint is written."""


class Interrupted(CompError):
    """Stopped by a signal, after a checkpoint was written."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice most like `name`, or None when nothing is close."""
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return found[0] if found else None


def did_you_mean(name: str, choices: Iterable[str], *, show: Callable[[str], str] = repr) -> str:
    """` Did you mean 'x'?`, to end a message with, or nothing when no choice is close to `name`."""
    close = nearest(name, choices)
    return f" Did you mean {show(close)}?" if close else ""


def repeated(values: Iterable[str]) -> list[str]:
    """The values that occur more than once, each once, in the order in which they first occur."""
    counts = Counter(values)
    return [value for value, count in counts.items() if count > 1]


def pick(table: Mapping[str, T], name: str, what: str) -> T:
    """`table[name]`; for an unknown name a ConfigError with the choices and the nearest one."""
    if name in table:
        return table[name]
    hint = did_you_mean(name, table)
    raise ConfigError(f"unknown {what} {name!r}; it is one of: {', '.join(table)}.{hint}")


def complain(
    error: type[CompError], heading: str, complaints: Sequence[str], *, shown: int = 10
) -> None:
    """Raise `error` with all the complaints under one heading; do nothing when there are none."""
    if not complaints:
        return
    lines = [f"  - {line}" for line in complaints[:shown]]
    if len(complaints) > shown:
        lines.append(f"  ... and {len(complaints) - shown} more")
    raise error("\n".join([heading, *lines]))


def first(values: Iterable[object], shown: int = 5) -> str:
    """A short listing for a message: the first few values, then how many more there are."""
    items = list(values)
    text = ", ".join(repr(item) for item in items[:shown])
    return text if len(items) <= shown else f"{text} and {len(items) - shown} more"


def reason(problem: BaseException) -> str:
    """The first line of another library's error, without secrets, cut to fit a message."""
    lines = hidden(str(problem)).strip().splitlines()
    return lines[0][:200] if lines else type(problem).__name__


def unreadable(problem: Exception) -> str:
    """Why a file cannot be read, in the same words everywhere; to be put behind `path: `."""
    for kind, words in _UNREADABLE.items():
        if isinstance(problem, kind):
            return words
    return f"cannot be read ({getattr(problem, 'strerror', None) or reason(problem)})"


_UNREADABLE = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "is a folder, not a file",
    UnicodeDecodeError: "is not UTF-8 text",
}
