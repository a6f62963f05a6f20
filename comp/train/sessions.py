"""What trained a fold: each start of a command leaves its command line, versions, commit and
machine in `sessions.json`."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import comp
from comp import files
from comp.errors import CompError
from comp.runs import RunDir
from comp.train.checkpoint import versions

_PACKAGES = ("torchvision", "numpy", "albumentations", "opencv-python-headless", "scikit-learn")


def note_session(run: RunDir, epoch: int, step: int, device: str) -> None:
    """Add an entry for this process, which begins at `epoch` and `step`, unless it has one.

    The list is lost when it cannot be read: it is a note, and training goes on without it.
    """
    entry = {
        "pid": os.getpid(),
        "host": platform.node(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "epoch": epoch,
        "step": step,
        "command": shlex.join(["comp", *sys.argv[1:]]),
        "folder": str(Path.cwd()),
        "device": device,
        "platform": platform.platform(),
        "versions": {**versions(), **_others()},
        "git": _commits(),
    }
    before = _read(run.sessions)
    same = [
        old for old in before if (old.get("pid"), old.get("host")) == (entry["pid"], entry["host"])
    ]
    if not same:
        files.write_json(run.sessions, {"sessions": [*before, entry]})


def birth_of(run: RunDir) -> str:
    """What only this fold's first start can say: fold, time, process and machine; "" where no start
    is noted. The same after each resume, on another machine too; another after `--restart`."""
    sessions = _read(run.sessions)
    if not sessions:
        return ""
    return " ".join(
        [run.path.name, *(str(sessions[0].get(key)) for key in ("started", "pid", "host"))]
    )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = files.read_json(path).get("sessions", [])
    except CompError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _others() -> dict[str, str]:
    out = {}
    for name in _PACKAGES:
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out


@functools.cache  # of a process: its code is what it was when it began
def _commits() -> dict[str, str | None]:
    return {"comp": _commit(Path(comp.__file__).parent), "here": _commit(Path.cwd())}


def _commit(folder: Path) -> str | None:
    """The commit of the repository that holds `folder`, with "+" where files differ from it; None
    outside a repository and without git."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head.strip() + ("+" if changed.strip() else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout
