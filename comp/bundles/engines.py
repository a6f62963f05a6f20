"""What runs the networks of a bundle: torch, or where it has ONNX files onnxruntime or OpenVINO.

On a CPU these are often faster; which one is, depends on the network and the machine, so it is
measured there. What was chosen is written beside the parts, so that a command that goes on chooses
the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from comp.bundles.contents import Bundle, Member
from comp.config.schema import ImageConfig
from comp.core import files
from comp.core.errors import CompError, ModelError, UsageError
from comp.core.progress import say
from comp.inference.views import view_probs, views_of
from comp.models.device import Device
from comp.models.networks import Net, noise
from comp.models.onnx_engine import engines_here, refuse_without_engine

ENGINES = ("auto", "torch", "onnx", "openvino")
TOLERANCE = 1e-4  # of probabilities against those of torch

_CHOSEN = "engines.json"
_REPEATS = 3
_MOST = 64  # images at once when engines are compared


def choose_engines(
    bundle: Bundle, device: Device, engine: str, work: Path, batch: int | None = None
) -> dict[str, str]:
    """run -> torch, onnx or openvino. engine: auto measures; batch: at once, None: as trained.

    Raises UsageError for an engine that is unknown, or that this bundle or machine has not.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: use one of {', '.join(ENGINES)}")
    torch_alone = dict.fromkeys(bundle.runs, "torch")
    if engine == "torch":
        return torch_alone
    why = _without_onnx(bundle, device)
    if engine != "auto":
        refuse_without_engine(engine)
        if why is not None:
            raise UsageError(f"--engine {engine}: {why}")
        _refuse_far(bundle, device, engine)
        return dict.fromkeys(bundle.runs, engine)
    if why is not None or not engines_here():
        return torch_alone
    known = _known(work / _CHOSEN)
    if {*known} != {*bundle.runs}:
        known = {run: _faster(bundle, run, device, batch) for run in bundle.runs}
        files.write_json(work / _CHOSEN, {"engines": known})
    return known


def _refuse_far(bundle: Bundle, device: Device, engine: str) -> None:
    """UsageError for an engine that answers otherwise than torch here; `comp export` compared
    onnxruntime, on another machine perhaps."""
    for run in bundle.runs:
        member = next(one for one in bundle.members if one.run == run)
        apart = farthest(bundle, member, device, bundle.net(member, device, engine=engine))
        if not apart <= TOLERANCE:
            raise UsageError(
                f"--engine {engine}: {run}: its answers are {apart:.2g} apart from those of torch, "
                f"more than {TOLERANCE:g}; use another engine"
            )


def _without_onnx(bundle: Bundle, device: Device) -> str | None:
    if any(member.onnx is None for member in bundle.members):
        return "the bundle has no ONNX files; `comp export BUNDLE --onnx` writes them"
    kind = device.torch_device.type
    if kind != "cpu":
        return f"its networks run on the CPU, and this is {kind}; give --device cpu"
    return None


def _known(path: Path) -> dict[str, str]:
    try:
        found = files.read_json(path)["engines"]
    except (CompError, KeyError):
        return {}
    return {str(run): str(engine) for run, engine in dict(found).items()}


def _faster(bundle: Bundle, run: str, device: Device, batch: int | None) -> str:
    """The engine that is faster for the networks of a run, by the best of a few batches each."""
    member = next(one for one in bundle.members if one.run == run)
    config = bundle.configs[run]
    count = min(_MOST, batch or config.predict.batch_size or 2 * config.train.batch_size)
    images = _images(count, config.image)
    nets = {"torch": bundle.net(member, device)}
    for engine in engines_here():
        try:
            net = bundle.net(member, device, engine=engine)
        except ModelError as problem:  # an engine need not know every network
            say(f"engine of {run}: not {engine}: {problem}")
            continue
        if farthest(bundle, member, device, net) <= TOLERANCE:
            nets[engine] = net
    seconds = {
        engine: _seconds(lambda net=net: view_probs(net, bundle.task, images, views_of("none")))  # type: ignore[misc]
        for engine, net in nets.items()
    }
    best = min(seconds, key=lambda engine: seconds[engine])
    told = ", ".join(f"{name} {1000 * value / count:.2f} ms" for name, value in seconds.items())
    say(f"engine of {run}: {best} (a view of an image: {told})")
    return best


def _seconds(call: Callable[[], object]) -> float:
    call()  # the first one warms up
    found = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return min(found)


def _images(count: int, image: ImageConfig) -> torch.Tensor:
    """(count, C, side, side) uint8 or uint16: noise, the same each time."""
    generator = torch.Generator().manual_seed(0)
    shape = count, image.channels, image.size, image.size
    return noise(shape, image.bits, generator)


def farthest(bundle: Bundle, member: Member, device: Device, net: Net) -> float:
    """The largest difference of what a network answers to what torch answers, on noise of several
    batch sizes; for numbers above 1, relative to them."""
    views = views_of("none")
    image = bundle.configs[member.run].image
    known = bundle.net(member, device)
    worst = 0.0
    for count in (1, 5):
        images = _images(count, image)
        one = view_probs(known, bundle.task, images, views)
        two = view_probs(net, bundle.task, images, views)
        scale = one.abs().clamp(min=1.0)
        worst = max(worst, float(((one - two).abs() / scale).max()))
    return worst
