"""`--on ray`: a task per fold on a Ray cluster; needs a disk that all nodes share.

The cluster is that of RAY_ADDRESS, else one that is started here. Ray gives each task its GPUs and
takes them back. When a node dies, its fold goes on elsewhere from its last checkpoint.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import comp
from comp.core.errors import CompError, ConfigError, OutOfTime, TrainError, UsageError
from comp.core.locks import STALE_SECONDS, HeldError
from comp.core.progress import say
from comp.stages.runners.order import Order, Outcome, error_of, train_piece
from comp.train.stop import Stop

INSTALL = 'pip install ".[ray]"'
_WAIT = 0.5  # seconds between two looks at the tasks
_HELD = 5.0  # seconds between two tries of a fold whose dead holder still counts


def train_on_ray(
    order: Order, folds: Sequence[int], stop: Stop, options: Mapping[str, str]
) -> list[tuple[int, CompError]]:
    """Train each fold as a task; the folds that failed, with their errors.

    options: `gpus` and `cpus` of a task, `retries` of a fold whose node died. Raises ConfigError
    without Ray and where the cluster never has so much, UsageError for another option, Interrupted
    and OutOfTime when the tasks have written their checkpoints.
    """
    ray = _ray()
    own = not ray.is_initialized()
    if own:
        _start(ray)
    try:
        tasks = _Tasks(ray, order, stop, options)
        with stop.listening(), stop.at_a_step():
            tasks.run(folds)
    finally:
        if own:
            ray.shutdown()
    if tasks.stopped:
        stop.leave(f"in {order.kind.unit} {', '.join(map(str, sorted(tasks.stopped)))}")
    return sorted(tasks.failed.items())


def _ray() -> Any:
    try:
        import ray
    except ImportError as problem:
        raise ConfigError(f"--on ray needs Ray: {INSTALL}") from problem
    return ray


def _start(ray: Any) -> None:
    """Join the cluster of RAY_ADDRESS, or start one on this machine."""
    where = os.environ.get("RAY_ADDRESS")
    code = {"env_vars": {"PYTHONPATH": str(Path(comp.__file__).parents[1])}}
    try:
        ray.init(address=where, runtime_env=code, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise ConfigError(
            f"--on ray: RAY_ADDRESS is {where}, and no cluster answers there ({problem})"
        ) from problem


class _Tasks:
    """The tasks that run, and what became of the others."""

    def __init__(self, ray: Any, order: Order, stop: Stop, options: Mapping[str, str]) -> None:
        self.ray, self.order, self.stop = ray, order, stop
        self.unit = order.kind.unit
        asked = _asked(options, ray.cluster_resources())
        self.retries = asked.pop("retries")
        # A process of its own for each task: what it held on a GPU ends with it
        self.task = ray.remote(max_calls=1, max_retries=0, **asked)(_on_node)
        self.running: dict[Any, int] = {}
        self.deaths: Counter[int] = Counter()
        self.died: dict[int, float] = {}
        self.later: dict[int, float] = {}
        self.failed: dict[int, CompError] = {}
        self.stopped: set[int] = set()

    def run(self, folds: Sequence[int]) -> None:
        """Until no task runs and none is to come."""
        for fold in folds:
            self._submit(fold)
        cancelled = False
        while self.running or self.later:
            for fold in [fold for fold, at in self.later.items() if at <= time.monotonic()]:
                del self.later[fold]
                self._submit(fold)
            done, _ = self.ray.wait(list(self.running), timeout=_WAIT) if self.running else ([], [])
            for task in done:
                self._take(self.running.pop(task), task)
            if self.stop.signal is not None and not cancelled:
                cancelled = True
                self.stopped |= {*self.later}
                self.later.clear()
                for task in self.running:
                    self.ray.cancel(task)  # as an interrupt: it writes a checkpoint
            if not self.running:
                time.sleep(_WAIT)

    def _submit(self, fold: int) -> None:
        self.running[self.task.remote(self.order, fold, self.stop.left)] = fold

    def _take(self, fold: int, task: Any) -> None:
        """Note what became of a task; a fold whose node died is submitted again."""
        try:
            outcome, node = self.ray.get(task)
        except self.ray.exceptions.TaskCancelledError:
            self.stopped.add(fold)
            return
        except self.ray.exceptions.RayError as death:
            self._give_back(fold, str(death).strip().splitlines()[0])
            return
        problem = error_of(outcome)
        if isinstance(problem, HeldError) and self._soon_free(fold):
            self.later[fold] = time.monotonic() + _HELD
        elif isinstance(problem, OutOfTime) or (problem and self.stop.requested):
            self.stopped.add(fold)
        elif problem is not None:
            self.failed[fold] = problem
            unit = self.unit
            say(f"{unit} {fold}: failed on {node}; it is told at the end, the other {unit}s go on")
        else:
            say(f"{self.unit} {fold}: {self.order.kind.done} on {node}")

    def _soon_free(self, fold: int) -> bool:
        """Whether a fold may be held only because its holder died on another machine."""
        return time.monotonic() - self.died.get(fold, float("-inf")) < 2 * STALE_SECONDS

    def _give_back(self, fold: int, how: str) -> None:
        if self.stop.requested:
            self.stopped.add(fold)
            return
        self.deaths[fold] += 1
        self.died[fold] = time.monotonic()
        if self.deaths[fold] <= self.retries:
            say(
                f"{self.unit} {fold}: its task died ({how}); it goes on elsewhere from its last "
                f"checkpoint (retry {self.deaths[fold]} of {self.retries})"
            )
            self._submit(fold)
        else:
            self.failed[fold] = TrainError(
                f"{self.unit} {fold}: its task died {self.deaths[fold]} times, the last time: {how}"
            )


def _on_node(order: Order, fold: int, seconds: float | None) -> tuple[Outcome, str]:
    """What became of a fold, and the address of the node that trained it."""
    util: Any = __import__("ray").util
    return train_piece(order, fold, seconds), str(util.get_node_ip_address())


def _asked(options: Mapping[str, str], there: Mapping[str, float]) -> dict[str, Any]:
    """What a task asks for, by Ray's names, and `retries`."""
    known = {
        "gpus": "1" if there.get("GPU", 0) else "0",
        "cpus": "1",
        "retries": "3",
    }
    wrong = [name for name in options if name not in known]
    if wrong:
        raise UsageError(f"--ask {wrong[0]}: a Ray task is asked for {', '.join(known)}")
    try:
        found = {name: float(options.get(name, text)) for name, text in known.items()}
    except ValueError as problem:
        raise UsageError(f"--ask: gpus, cpus and retries are numbers ({problem})") from problem
    for name, kind in (("gpus", "GPU"), ("cpus", "CPU")):
        if found[name] > there.get(kind, 0):
            raise ConfigError(
                f"--on ray: a task asks for {found[name]:g} {kind}, the cluster has "
                f"{there.get(kind, 0):g}. Ask for less: --ask {name}=..."
            )
    return {
        "num_gpus": found["gpus"],
        "num_cpus": found["cpus"],
        "retries": int(found["retries"]),
    }
