"""Files of weights from anywhere: what tensors they hold, and which of them fit a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from timm.models import adapt_input_conv
from torch import Tensor

from comp.core.errors import ModelError, first, reason
from comp.core.progress import say

# Where programs keep the weights in a checkpoint; a moving average is better than what it is of
_WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "averaged_model"),
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module"),
    *("weights", "params"),
)
# What names begin with when a network was a part of another object
_OUTER = {
    *("module", "_orig_mod", "model", "net", "network", "backbone", "encoder", "classifier"),
    *("ema", "ema_model", "model_ema", "averaged_model", "student", "teacher", "inner"),
}
_DEEPEST = 6  # parts of such a beginning


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names in it; code in a pickle is never run.

    Raises ModelError when the file is missing, cannot be read, or holds no tensors; for a file that
    holds more than tensors the message has the command that saves it without the rest.
    """
    if not path.is_file():
        what = "is a folder; name the file in it" if path.is_dir() else "no such file"
        raise ModelError(
            f"model.weights: {path}: {what}; the path is relative to the workspace folder"
        )
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == b"{":  # after eight bytes of length: safetensors, whatever it is called
            from safetensors.torch import load_file

            return dict(load_file(path))
        if not start.startswith((b"PK", b"\x80")):
            raise ModelError(
                f"model.weights: {path} is {'no file of weights' if start else 'an empty file'}: "
                "neither of safetensors nor of torch.save. Fetch it again"
            )
        with path.open("rb") as file:  # of a path, torch looks at the suffix
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as problem:  # safetensors, pickle and zip raise their own types
        raise ModelError(_unreadable(path, problem)) from problem
    return _unwrapped(loaded, path)


def _unreadable(path: Path, problem: Exception) -> str:
    """Why a file is not opened; not in torch's words where they advise to run what it holds."""
    text = f"model.weights: {path} is not a plain file of tensors and is not opened any other way"
    if "weights_only" in str(problem) or "Unsupported" in str(problem):
        return f"{text}. {_save_again(path)}"
    return f"{text} ({reason(problem)}). It may be cut or damaged: fetch it again"


def _save_again(path: Path) -> str:
    new = path.with_name(f"{path.stem}.tensors.pt")
    return (
        "It may hold a whole network or other objects beside the tensors. Where you trust its "
        "source, because opening it runs what it holds, save the tensors alone and name that file: "
        f"`python -c \"import torch; x = torch.load({str(path)!r}, map_location='cpu', "
        "weights_only=False); x = x.get('state_dict', x) if isinstance(x, dict) else "
        "x.state_dict(); torch.save({k: v for k, v in x.items() if torch.is_tensor(v)}, "
        f'{str(new)!r})"`'
    )


def _unwrapped(loaded: Any, path: Path) -> dict[str, Tensor]:
    """The innermost dict of tensors of what a file holds."""
    while isinstance(loaded, dict):
        tensors = {str(name): v for name, v in loaded.items() if isinstance(v, Tensor)}
        inner = {name: v for name, v in loaded.items() if isinstance(v, dict)}
        known = next((inner[name] for name in _WRAPPERS if inner.get(name)), None)
        if known is None and tensors:
            return tensors
        if known is None and len(inner) != 1:
            break
        loaded = next(iter(inner.values())) if known is None else known
    raise ModelError(f"model.weights: {path} holds a {type(loaded).__name__}, not named tensors")


def best_fit(
    loaded: Mapping[str, Tensor], own: Mapping[str, Tensor], places: Sequence[str]
) -> dict[str, Tensor]:
    """The tensors of `own`, by their names there, that `loaded` has in the same shape.

    places: what may stand before a name of the file to make it one of `own`, the first that fits
    anything but vectors wins. What most names of the file begin with may be taken off them; of all
    ways the one that fits most tensors is taken, of equal ones a moving average, then the shortest.
    """
    for place in places:
        found = {outer: _fitting(loaded, own, place, outer) for outer in _beginnings(loaded)}
        taken = max(found, key=lambda outer: len(found[outer]))
        best = found[taken]
        if any(value.dim() > 1 for value in best.values()):
            _tell_others(found, taken)
            return best
    return {}


def _tell_others(found: Mapping[str, Mapping[str, Tensor]], taken: str) -> None:
    """Say which network is taken where a file holds several that fit as well."""
    best = found[taken]
    others = [
        outer
        for outer, fit in found.items()
        if len(fit) == len(best) and any(not torch.equal(fit[n], best[n]) for n in best if n in fit)
    ]
    if others:
        say(
            "model.weights: the file holds several such networks: names that begin with "
            f"{taken!r} are taken, not {first(others)}. For another one, save its tensors alone"
        )


def _fitting(
    loaded: Mapping[str, Tensor], own: Mapping[str, Tensor], place: str, outer: str
) -> dict[str, Tensor]:
    names = ((place + name[len(outer) :], name) for name in loaded if name.startswith(outer))
    found = ((new, _fitted(loaded[name], own[new])) for new, name in names if new in own)
    return {new: value for new, value in found if value is not None}


def _fitted(value: Tensor, own: Tensor) -> Tensor | None:
    """The tensor where it has the shape of `own`; the first layer of another number of channels is
    adapted as pretrained ones are; None for another tensor."""
    if value.shape == own.shape:
        return value
    first = value.dim() == own.dim() == 4 and value.shape[1] == 3 != own.shape[1]
    if not first or value.shape[0] != own.shape[0] or value.shape[2:] != own.shape[2:]:
        return None
    adapted: Tensor = adapt_input_conv(own.shape[1], value.float())
    return adapted.to(value.dtype)


def _beginnings(loaded: Mapping[str, Tensor]) -> list[str]:
    """What may be taken off the names, the preferred first; "" among them."""
    counts = Counter(
        ".".join(parts[:deep]) + "."
        for parts in (name.split(".") for name in loaded)
        for deep in range(1, min(len(parts), _DEEPEST + 1))
    )
    usual = [b for b in counts if all(part in _OUTER for part in b[:-1].split("."))]
    shared = [b for b, count in counts.items() if 2 * count >= len(loaded)]
    return sorted({"", *usual, *shared}, key=lambda b: ("ema" not in b, len(b), b))
