"""The devices of this machine that folds are trained on: `--devices 0,1`, `auto` or `cpu,cpu`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from comp.core.errors import ConfigError, UsageError


@dataclass(frozen=True)
class Slot:
    """One process: its label on the screen, and what its environment says of devices. `number`:
    that of the CUDA device, None for the CPU."""

    label: str
    number: int | None

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which this device is the only one. The config stays as it is, and so
        do the files of the fold."""
        if self.number is None:
            return {"CUDA_VISIBLE_DEVICES": ""}
        seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        name = seen[self.number] if self.number < len(seen) else str(self.number)
        return {"CUDA_VISIBLE_DEVICES": name}


def parse_devices(text: str, where: str) -> list[Slot]:
    """The slots that `--devices` names, one process each; a device may be named twice.

    where: `train.device` of the config. Raises UsageError for what is no device, ConfigError for
    one that is not there and for a `train.device` that says otherwise.
    """
    import torch

    there = torch.cuda.device_count()
    words = [word.strip() for word in text.split(",")]
    if words == ["auto"]:
        words = [str(number) for number in range(there)] or ["cpu"]
    slots = [_slot(word, words, place) for place, word in enumerate(words)]
    for slot in slots:
        if slot.number is not None and slot.number >= there:
            raise ConfigError(
                f"--devices: there is no CUDA device {slot.number}; torch {torch.__version__} sees "
                f"{there}. Use auto, numbers below that, or cpu"
            )
    _refuse_other(slots, where)
    return slots


def _slot(word: str, words: Sequence[str], place: int) -> Slot:
    match = re.fullmatch(r"(?:cuda:)?(\d+)|cpu", word)
    if match is None:
        raise UsageError(
            f"--devices {','.join(words)}: {word!r} is no device; write numbers of CUDA devices "
            "(0,1), auto, or cpu,cpu"
        )
    number = None if match[1] is None else int(match[1])
    label = "cpu" if number is None else f"cuda:{number}"
    if words.count(word) > 1:
        label += f" #{words[: place + 1].count(word)}"
    return Slot(label, number)


def _refuse_other(slots: Sequence[Slot], where: str) -> None:
    """ConfigError where `train.device` would lead all processes to one device, or to another."""
    import torch

    fits = {"auto": True, "cuda": all(slot.number is not None for slot in slots)}
    fits["cpu"] = all(slot.number is None for slot in slots)
    if not fits.get(where, False):
        raise ConfigError(
            f"--devices: train.device is {where}, which these processes would all use. Leave it "
            "at auto"
        )
    if where == "auto" and torch.backends.mps.is_available():
        raise ConfigError("--devices cpu: beside MPS, say so in the config: train.device: cpu")
