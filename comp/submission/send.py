"""The two ways out: Kaggle's command line and Dacon's API. Tokens come from the environment only.

A token is never an argument of a program, never printed and never written: the program that sends
reads it from its own environment.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comp.core.errors import CompError, ConfigError
from comp.core.secrets import hidden

_DACON = (
    "import os, sys; from dacon_submit_api import dacon_submit_api as api; "
    "file, competition, team, memo = sys.argv[1:]; "
    "answer = api.post_submission_file(file, os.environ['DACON_TOKEN'], competition, team, memo); "
    "print(answer); "
    "sys.exit(0 if isinstance(answer, dict) and answer.get('isSubmitted') else 1)"
)


@dataclass(frozen=True)
class Site:
    """A place to send to.

    `command`  file, competition, team, message -> the words of the program that sends
    `lacking`  what is missing on this machine to run it, or None
    `tokens`   sets of environment variables, one of which must be there whole
    """

    command: Callable[[Path, str, str, str], list[str]]
    lacking: Callable[[], str | None]
    tokens: tuple[tuple[str, ...], ...]


def _kaggle(file: Path, competition: str, _: str, message: str) -> list[str]:
    return ["kaggle", "competitions", "submit", "-c", competition, "-f", str(file), "-m", message]


def _no_kaggle() -> str | None:
    return None if shutil.which("kaggle") else "the command `kaggle` (pip install kaggle)"


def _dacon(file: Path, competition: str, team: str, message: str) -> list[str]:
    return [sys.executable, "-P", "-c", _DACON, str(file), competition, team, message]


def _no_dacon() -> str | None:
    there = importlib.util.find_spec("dacon_submit_api")
    return None if there else "the package `dacon_submit_api` (Dacon gives it out as a wheel)"


SITES = {
    "kaggle": Site(_kaggle, _no_kaggle, (("KAGGLE_API_TOKEN",), ("KAGGLE_USERNAME", "KAGGLE_KEY"))),
    "dacon": Site(_dacon, _no_dacon, (("DACON_TOKEN",),)),
}


def printed(words: list[str]) -> str:
    """The command as a user would type it."""
    return shlex.join(words)


def run(site: Site, words: list[str]) -> str:
    """Send a submission with `words`, a command; what it printed, with `***` for every secret of
    the environment, see `comp.core.secrets`.

    Raises ConfigError where the program or its token is missing, CompError where it fails.
    """
    missing = site.lacking()
    if missing:
        raise ConfigError(f"sending needs {missing}; or send the file on the site itself")
    if not any(all(os.environ.get(name) for name in names) for names in site.tokens):
        wanted = " or ".join(" and ".join(names) for names in site.tokens)
        raise ConfigError(f"no token: set {wanted} in the environment, nowhere else")
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CompError(f"{words[0]}: {type(problem).__name__}; was it sent? Look there") from None
    output = hidden(f"{done.stdout}{done.stderr}".strip())
    if done.returncode:
        raise CompError(f"not sent; {words[0]} said: {output or done.returncode}")
    return output
