"""Networks by onnxruntime or OpenVINO: written once from torch as ONNX, then run without it on a
CPU."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from comp.core import files
from comp.core.errors import ModelError, UsageError, reason

_NEEDED = ("onnxruntime", "onnx", "onnxscript")
_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}  # engine -> what runs it
_INPUT, _OUTPUT = "images", "logits"


def lacking_onnx(*, to_write: bool = False) -> str | None:
    """The package that is missing to run, or to write, such a network; None where all is there."""
    for name in _NEEDED if to_write else _NEEDED[:1]:
        if importlib.util.find_spec(name) is None:
            return name
    return None


def engines_here() -> list[str]:
    """The engines whose package is installed."""
    return [name for name, package in _PACKAGES.items() if importlib.util.find_spec(package)]


def refuse_without_engine(engine: str) -> None:
    """UsageError where the package of an engine is missing."""
    if engine not in engines_here():
        raise UsageError(
            f"--engine {engine} needs the package {_PACKAGES[engine]}: pip install 'comp[{engine}]'"
        )


def refuse_without_onnx(option: str, *, to_write: bool = False) -> None:
    """UsageError where a package is missing."""
    name = lacking_onnx(to_write=to_write)
    if name is not None:
        raise UsageError(f"{option} needs the package {name}: pip install 'comp[onnx]'")


def write_onnx(module: nn.Module, side: int, path: Path, channels: int = 3) -> None:
    """Write the logits of a network, of float images (B, C, side, side), as ONNX; any B.

    Raises ModelError for a network that torch cannot write.
    """
    module = module.eval().cpu()
    sample = torch.zeros(2, channels, side, side)
    shapes = ({0: torch.export.Dim("batch")},)
    with files.replacing(path) as beside, _quiet():
        try:
            torch.onnx.export(
                module,
                (sample,),
                str(beside),
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=[_INPUT],
                output_names=[_OUTPUT],
                external_data=False,
                verbose=False,
            )
        except Exception as problem:  # whatever the exporter raises for what it does not know
            raise ModelError(
                f"{path.name}: torch cannot write this network as ONNX ({reason(problem)}); "
                "it answers with torch"
            ) from problem


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of each of its steps."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


Forward = Callable[[Tensor], Tensor]


def open_forward(engine: str, path: Path, threads: int) -> Forward:
    """A function from float images (B, C, H, W) to logits, run by `onnx` or `openvino` on the CPU.

    Raises UsageError where the engine is not installed, ModelError for a file that it cannot read.
    """
    refuse_without_engine(engine)
    return {"onnx": _by_onnxruntime, "openvino": _by_openvino}[engine](path, threads)


def _by_openvino(path: Path, threads: int) -> Forward:
    import openvino

    # float32 throughout: by itself it takes bf16 where the CPU has it
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        model = openvino.compile_model(str(path), "CPU", settings)
    except Exception as problem:  # its exceptions have no common base
        raise ModelError(f"{path}: OpenVINO cannot read it ({reason(problem)})") from problem

    def forward(images: Tensor) -> Tensor:
        logits = model([images.contiguous().numpy()])[0]
        return torch.from_numpy(logits.copy())  # its memory is used again

    return forward


def _by_onnxruntime(path: Path, threads: int) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as problem:  # its exceptions have no common base
        raise ModelError(f"{path}: onnxruntime cannot read it ({reason(problem)})") from problem

    def forward(images: Tensor) -> Tensor:
        (logits,) = session.run([_OUTPUT], {_INPUT: images.contiguous().numpy()})
        return torch.from_numpy(logits)

    return forward
