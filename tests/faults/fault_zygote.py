"""A process that has imported everything and forks a child for each request.

Requests and answers are lines of JSON on stdin and stdout. The child goes into the workspace, runs
commands of `comp` one after the other until one fails, and exits with its code.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from faults import fault_toy  # noqa: F401 - registers the network
from faults.fault_shim import Shim, install

import comp.inference.predict
import comp.report.board
import comp.report.check_page
import comp.report.console.findings
import comp.report.console.status
import comp.report.console.tables
import comp.stages.board
import comp.stages.check
import comp.stages.ensemble
import comp.stages.folds
import comp.stages.pack
import comp.stages.search.find
import comp.stages.search.sweep
import comp.stages.status
from comp.cli.main import main
from comp.data.cache import contents
from comp.train import loop, validate
from comp.train.checkpoints import checkpoint


def child(request: dict[str, Any], report: int) -> int:
    """Run the commands of a request under its fault; the exit code."""
    os.chdir(request["root"])
    out = os.open(request["out"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    comp.inference.outputs.PIECE_ROWS = 4
    _limit(request)
    shim = Shim(Path(request["root"]), report, request.get("kind"), request.get("at", 0))
    _tell_saves(shim)
    if "signal" in request:
        _signal_at(request["where"], request["call"], request["signal"], request["times"])
    install(shim)
    return _run(request["commands"])


def _limit(request: dict[str, Any]) -> None:
    """Few open files, little more memory than there is now, a clock that jumps at each look."""
    if "files" in request:
        resource.setrlimit(resource.RLIMIT_NOFILE, (request["files"],) * 2)
    if "memory" in request:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + request["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if "clock" in request:
        real, looks = time.time, itertools.count()
        time.time = lambda: real() + (request["clock"] if next(looks) % 2 else 0)


PLACES: dict[str, tuple[Any, str]] = {
    "training": (loop, "update"),
    "validation": (validate, "eval_batches"),
    "packing": (contents, "fitted"),
    "predicting": (comp.inference.predict, "view_probs"),
}


def _signal_at(where: str, call: int, number: int, times: int) -> None:
    """Send a signal to the whole process group, as a terminal does, at the n-th call of a place."""
    module, name = PLACES[where]
    real, calls = getattr(module, name), itertools.count(1)

    def signalling(*words: Any, **more: Any) -> Any:
        if next(calls) == call:
            for _ in range(times):
                os.kill(0, number)
        return real(*words, **more)

    setattr(module, name, signalling)


def _run(commands: list[list[str]]) -> int:
    before = sys.argv
    for words in commands:
        sys.argv = ["comp", *words]
        try:
            main()
        except SystemExit as done:
            if done.code:
                return int(done.code)
    sys.argv = before
    return 0


def _tell_saves(shim: Shim) -> None:
    real = checkpoint.save_last

    def save_last(state: Any, run: Any) -> None:
        real(state, run)
        shim.tell("saved", state["fold"], state["epoch"], state["step"])

    checkpoint.save_last = save_last


def fork(request: dict[str, Any]) -> dict[str, Any]:
    """Run a request in a child of this process; what became of it."""
    report = os.open(request["report"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
            os.write(report, b"session\n")
            code = child(request, report)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(report)
    if "kill_after" in request:
        operations, delay = request["kill_after"]
        _wait_for(pid, Path(request["report"]), operations)
        time.sleep(delay)
        os.killpg(pid, signal.SIGKILL)  # not yet waited for: at least a zombie leads the group
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status)}


def _wait_for(pid: int, report: Path, operations: int) -> None:
    """Return when a child has reported its place in a session of its own and so many operations,
    or when it has ended."""
    ended = None
    while report.read_bytes().count(b"\n") <= operations and not ended:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        time.sleep(0.001)


def _warm_up(root: Path) -> None:
    """One whole run here, so that no child pays for what is imported late."""
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(Path(os.devnull).open("w"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        stack.enter_context(contextlib.chdir(root))
        _run(json.loads(sys.argv[2]))


def serve() -> None:
    """Answer requests until stdin ends."""
    torch.set_num_threads(1)
    _warm_up(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
