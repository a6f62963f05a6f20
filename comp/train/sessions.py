"""What trained a fold: each start of a command or call notes what was run, versions, commit and
machine in `sessions.json`."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import comp
from comp.config.workspace import RunDir
from comp.core import files
from comp.core.errors import CompError
from comp.core.provenance import git_commit, versions
from comp.core.secrets import hidden


def note_session(
    run: RunDir,
    epoch: int,
    step: int,
    device: str,
    *,
    command: str | None = None,
    workspace: Path = Path(),
) -> None:
    """Add an entry for this process, which begins at `epoch` and `step`, unless it has one.

    command: what was run; None: the command line of this process. workspace: the folder that it was
    run for, which is noted with its commit.
    A list that cannot be read is replaced: it is only a note, and training does not need it.
    """
    entry = {
        "pid": os.getpid(),
        "host": platform.node(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "epoch": epoch,
        "step": step,
        "command": hidden(command or shlex.join(["comp", *sys.argv[1:]])),
        "folder": str(workspace.absolute()),
        "device": device,
        "platform": platform.platform(),
        "versions": versions(),
        "git": _commits(workspace.absolute()),
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


@functools.cache  # per process: its code does not change while it runs
def _commits(folder: Path) -> dict[str, str | None]:
    return {"comp": git_commit(Path(comp.__file__).parent), "here": git_commit(folder)}
