"""What each call of the API leaves as it found it, and how it opens an experiment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comp.config.loading import load_config as read_config
from comp.config.loading import make_config
from comp.config.schema import Config
from comp.core.errors import Interrupted, UsageError
from comp.core.progress import quietly

if TYPE_CHECKING:
    from comp.stages.experiment import Experiment

ConfigLike = Config | Mapping[str, Any] | str | Path


def as_config(config: ConfigLike, workspace: Path) -> Config:
    """The Config of what a caller gave: itself, plain values, or a file below the workspace."""
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return make_config(dict(config))
    if isinstance(config, (str, Path)):
        return read_config(workspace / config)
    raise UsageError(f"config={config!r}: give a Config, a mapping, or a path below the workspace")


def as_folder(workspace: str | Path) -> Path:
    """The workspace as a path; UsageError for what is none."""
    if isinstance(workspace, (str, Path)):
        return Path(workspace)
    raise UsageError(f"workspace={workspace!r}: give a folder")


def open_experiment(config: ConfigLike, workspace: str | Path) -> Experiment:
    """The experiment of a config in a workspace folder, with its plugins loaded."""
    from comp.stages import experiment

    root = as_folder(workspace)
    return experiment.open_experiment(as_config(config, root), root)


# What the imports of libraries (and `comp.data.loader.recipes`, `comp.models.device`) put into the
# environment: everything else in it belongs to the caller, who may set it while a call runs.
_SET_BY_IMPORTS = (
    "CUBLAS_WORKSPACE_CONFIG",
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "LD_LIBRARY_PATH",
    "NO_ALBUMENTATIONS_UPDATE",
    "PYTORCH_NVFUSER_DISABLE_FALLBACK",
    "TORCHINDUCTOR_CACHE_DIR",
)


@contextlib.contextmanager
def steady(quiet: bool, *, network: bool = False) -> Iterator[None]:
    """Leave the process as it was; whatever is slow to import is imported in the block.

    The environment and the warning filters always; with `network`, for a block that runs one, the
    threads, random numbers and switches of torch and cv2 too.
    An interrupt (SIGINT) that training turned into a checkpoint goes on as KeyboardInterrupt.
    """
    with _environment(), warnings.catch_warnings(), quietly(quiet), contextlib.ExitStack() as stack:
        # tqdm, which libraries import, asks for ipywidgets in a notebook; no bar of it is shown
        warnings.filterwarnings("ignore", message="IProgress not found")
        if network:
            stack.enter_context(_libraries())
        try:
            yield
        except Interrupted as problem:
            if problem.exit_code == 128 + signal.SIGINT:
                raise KeyboardInterrupt(str(problem)) from problem
            raise


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Take out of the environment what imports put there."""
    before = {name: os.environ.get(name) for name in _SET_BY_IMPORTS}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _libraries() -> Iterator[None]:
    """Put back what torch, cv2 and random share with the whole process."""
    import cv2
    import torch

    threads, many = cv2.getNumThreads(), torch.get_num_threads()
    draws = random.getstate()
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32
    strict = torch.are_deterministic_algorithms_enabled()
    precision = torch.get_float32_matmul_precision()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        cv2.setNumThreads(threads)
        torch.set_num_threads(many)
        random.setstate(draws)
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = flags
        torch.use_deterministic_algorithms(strict)
        torch.set_float32_matmul_precision(precision)
