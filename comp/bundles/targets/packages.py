"""The packages that `comp` needs: what an image lacks of them, and their wheels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from comp.core.errors import CompError
from comp.core.secrets import hidden

OWN = "comp"
_PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_24_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_12_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_5_x86_64",
    "manylinux1_x86_64",
)


def needs_of(name: str) -> list[Requirement]:
    """What an installed package requires here, without its extras; empty for a missing package."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(line) for line in lines]
    return [need for need in found if need.marker is None or need.marker.evaluate({"extra": ""})]


def closure(names: Iterable[str], without: Iterable[str] = ()) -> list[str]:
    """These packages and all that they need, sorted; without: packages where the walk ends."""
    stop = {canonicalize_name(name) for name in without}
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found or name in stop:
            continue
        found.add(name)
        waiting += [canonicalize_name(need.name) for need in needs_of(name)]
    return sorted(found)


def lacking(has: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """The packages that an image with `has`, and all that these need, lacks to run `comp` and
    `more` packages."""
    there = closure(has)
    return [name for name in closure([OWN, *more], without=there) if name != OWN]


def pinned(names: Sequence[str]) -> list[str]:
    """`name==version` as installed here; a package that is not installed is left out."""
    found = []
    for name in names:
        try:
            found.append(f"{name}=={metadata.version(name).partition('+')[0]}")
        except metadata.PackageNotFoundError:
            continue
    return found


def requirement_lines(has: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """The lines of a requirements.txt: what an image with `has` lacks to run `comp` and `more`
    packages, in the versions of here."""
    return pinned(lacking(has, more))


def download(lines: Sequence[str], folder: Path, python: str) -> list[Path]:
    """Wheels of `name==version` lines for Linux on x86-64 and a Python, in `folder`.

    Raises CompError where the registry does not give one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    words += ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    for platform in _PLATFORMS:
        words += ["--platform", platform]
    done = subprocess.run([*words, *lines], capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        why = hidden(said[-1] if said else f"exit code {done.returncode}")
        raise CompError(
            f"pip download of wheels for Python {python}: {why}. --no-wheels ships without them; "
            "--has NAME leaves out a package that the target has"
        )
    return sorted(folder.glob("*.whl"))
