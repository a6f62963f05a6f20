"""What a fold in training says of itself every few seconds: `progress.json` in its folder.

It is for who watches, and nothing depends on it: it is written without waiting for the disk, an
error of the disk is no error of the training, and what is torn counts as absent. The file is gone
when the fold is finished. Reading it needs no torch.
"""

from __future__ import annotations

import contextlib
import json
import math
import types
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from comp.core.scratch import scratch_path


@dataclass(frozen=True)
class Beat:
    """Where a fold stands.

    `name`     of the fold in messages
    `phase`    training, validation or finished
    `epoch`    the one at work, counted from 1, of `epochs`; `step` updates of `steps` are made
    `loss`     the mean training loss of the epoch so far; `lr` the learning rate
    `speed`    training images per second in this epoch
    `epoch_seconds`  the time of the last whole epoch with its validation
    `left`     seconds until the last epoch ends
    `memory`   bytes of this process; `device_memory` the most that it reserved on the device, of
               `device_total`
    """

    name: str
    phase: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float | None = None
    lr: float | None = None
    speed: float | None = None
    epoch_seconds: float | None = None
    left: float | None = None
    memory: int | None = None
    device_memory: int | None = None
    device_total: int | None = None


def write_beat(path: Path, beat: Beat) -> bool:
    """Write it beside and rename; whether that worked."""
    plain = {key: value if _is_plain(value) else None for key, value in asdict(beat).items()}
    try:
        beside = scratch_path(path)
    except OSError:
        return False
    try:
        beside.write_text(json.dumps(plain), encoding="utf-8")
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        return False
    return True


def read_beat(path: Path) -> Beat | None:
    """What a file says; None where there is none, or none that is whole."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        wanted = {field.name: found[field.name] for field in fields(Beat) if field.name in found}
        beat = Beat(**wanted)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return beat if _fits(beat) else None


def _is_plain(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _fits(beat: Beat) -> bool:
    """Whether all values are of their kind, and counts are not below 0."""
    for name, kind in get_type_hints(Beat).items():
        value = getattr(beat, name)
        kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
        kinds = (*kinds, int) if float in kinds else kinds
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        if isinstance(value, int | float) and not 0 <= value < 1e15 and name != "loss":
            return False
    return True
