"""What a result was made with: the versions of libraries and the commit of the code."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from comp import __version__

_LIBRARIES = (
    "torch",
    "timm",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "albumentations",
    "scikit-learn",
    "ttach",
)


def versions() -> dict[str, str]:
    """The versions that can change a result; a library that is not installed is left out."""
    found = {"comp": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out in a folder, with `+changes` where tracked files differ.

    Files below `submissions/` do not count: they are written here, they are no input. None outside
    a repository and without git.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        inputs = ("--", ".", ":(exclude)submissions")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", *inputs)
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+changes" if changed else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
