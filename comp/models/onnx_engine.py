"""Networks by onnxruntime: written once from torch, then run without it on a CPU."""

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
_INPUT, _OUTPUT = "images", "logits"


def lacking_onnx(*, to_write: bool = False) -> str | None:
    """The package that is missing to run, or to write, such a network; None where all is there."""
    for name in _NEEDED if to_write else _NEEDED[:1]:
        if importlib.util.find_spec(name) is None:
            return name
    return None


def refuse_without_onnx(option: str, *, to_write: bool = False) -> None:
    """UsageError where a package is missing."""
    name = lacking_onnx(to_write=to_write)
    if name is not None:
        raise UsageError(f"{option} needs the package {name}: pip install 'comp[onnx]'")


def write_onnx(module: nn.Module, side: int, path: Path) -> None:
    """Write the logits of a network, of float images (B, 3, side, side), as ONNX; any B.

    Raises ModelError for a network that torch cannot write.
    """
    module = module.eval().cpu()
    sample = torch.zeros(2, 3, side, side)
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


def onnx_forward(path: Path, threads: int) -> Callable[[Tensor], Tensor]:
    """A function from float images (B, 3, H, W) to logits, run by onnxruntime on the CPU.

    Raises UsageError without onnxruntime, ModelError for a file that it cannot read.
    """
    refuse_without_onnx("--engine onnx")
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
